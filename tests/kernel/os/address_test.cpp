// Addresses: names that are resolved, and what kind an address is.

#include "engine/os/address.hpp"

#include <cerrno>

#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {
namespace {

Address v6_of(const char* text) { return resolve(text, 9).value(); }

TEST(Addresses, private_networks) {
    const Address inside[] = {loopback_v4(),
                              Address::v4(10, 1, 2, 3, 9),
                              Address::v4(172, 16, 0, 1, 9),
                              Address::v4(172, 31, 255, 1, 9),
                              Address::v4(192, 168, 4, 5, 9),
                              Address::v4(169, 254, 1, 1, 9),
                              loopback_v6(),
                              v6_of("fd00::1"),
                              v6_of("fc12::1"),
                              v6_of("fe80::1%lo")};
    for (const Address& address : inside) EXPECT_TRUE(is_private_network(address)) << to_text(address);
    const Address outside[] = {Address::v4(8, 8, 8, 8, 9),
                               Address::v4(172, 15, 0, 1, 9),
                               Address::v4(172, 32, 0, 1, 9),
                               Address::v4(192, 167, 4, 5, 9),
                               Address::v4(169, 253, 1, 1, 9),
                               v6_of("2001:db8::1"),
                               v6_of("fec0::1"),
                               v6_of("ff02::1%lo")};
    for (const Address& address : outside) EXPECT_FALSE(is_private_network(address)) << to_text(address);
}

TEST(Addresses, an_interface_is_needed_by_those_of_one_link) {
    for (const char* text : {"ff02::1", "ff01::1"}) EXPECT_TRUE(needs_interface(v6_of(text))) << text;
    for (const char* text : {"ff02::1%lo", "fe80::1%lo", "ff05::1", "2001:db8::1"})
        EXPECT_FALSE(needs_interface(v6_of(text))) << text;
    Address without = v6_of("fe80::1%lo");
    without.scope = 0;
    EXPECT_TRUE(needs_interface(without));
    EXPECT_FALSE(needs_interface(loopback_v4()));
}

TEST(Addresses, an_interface_that_has_gone_is_shown_by_its_number) {
    Address address = v6_of("fe80::1%lo");
    EXPECT_EQ(to_text(address), "[fe80::1%lo]:9");
    address.scope = 999'999;
    EXPECT_EQ(to_text(address), "[fe80::1%999999]:9");
}

TEST(Addresses, names_have_an_address_of_the_family_that_is_asked_for) {
    EXPECT_EQ(resolve("localhost", 9, Family::v4), Address::v4(127, 0, 0, 1, 9));
    EXPECT_EQ(resolve("localhost", 9).value().port, 9);
    const auto v6 = resolve("localhost", 9, Family::v6);  // not every host has one
    EXPECT_TRUE(!v6 || is_loopback(*v6));
    EXPECT_EQ(resolve("no-such-host.invalid", 9).error().code, EHOSTUNREACH);
}

TEST(Addresses, texts_that_are_none) {
    const std::pair<const char*, const char*> cases[] = {
        {"127.0.0.1:70000", "127.0.0.1:70000: the port must be 1 to 65535"},
        {"127.0.0.1:9x", "127.0.0.1:9x: the port must be 1 to 65535"},
        {"127.0.0.1:0", "127.0.0.1:0: the port must be 1 to 65535"},
        {"a\x7f:9", "a\\x7f:9: is neither an address nor a host name"},
        {"a b:9", "a b:9: is neither an address nor a host name"},
        {"::1:99999", "::1:99999: expected HOST:PORT or [IPv6]:PORT"},
        {"[fe80::1%9x]:9", "[fe80::1%9x]:9: no interface named 9x"},
    };
    for (const auto& [text, expected] : cases) EXPECT_EQ(resolve_host_port(text).error().text, expected);
    EXPECT_EQ(parse_subnet(std::string_view("127.0.0.1\0", 10)).error().text,
              "expected an address or a network such as 10.0.0.0/8 or fd00::/8");
}

}  // namespace
}  // namespace ringpost::test
