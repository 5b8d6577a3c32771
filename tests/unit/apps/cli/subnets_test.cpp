#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <ringpost/network.hpp>
#include "apps/cli/server.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

Address address(const std::string& text) { return resolve(text, 7).value(); }

TEST(Subnets, are_parsed_or_refused_with_a_reason) {
    constexpr const char* expected = "expected an address or a network such as 10.0.0.0/8 or fd00::/8";
    struct Row {
        const char* given;
        const char* text;  ///< of the first address and the bits, or the reason
    };
    const Row rows[] = {
        {"10.0.0.0/8", "10.0.0.0 104"},
        {"0.0.0.0/0", "0.0.0.0 96"},
        {"192.0.2.7", "192.0.2.7 128"},
        {"192.0.2.7/32", "192.0.2.7 128"},
        {"192.0.2.128/25", "192.0.2.128 121"},
        {"fd00::/8", "fd00:: 8"},
        {"::/0", ":: 0"},
        {"::1", "::1 128"},
        {"2001:db8:8000::/33", "2001:db8:8000:: 33"},
        {"fe80::/10", "fe80:: 10"},
        {"::ffff:10.0.0.0/104", "10.0.0.0 104"},
        {"::ffff:192.0.2.7", "192.0.2.7 128"},
        {"10.0.0.1/8", "has bits after its prefix; the network is 10.0.0.0/8"},
        {"192.0.2.129/25", "has bits after its prefix; the network is 192.0.2.128/25"},
        {"fd00::1/8", "has bits after its prefix; the network is fd00::/8"},
        {"::1/0", "has bits after its prefix; the network is ::/0"},
        {"::ffff:10.0.0.0/8", "an IPv4 network is written as 10.0.0.0/8"},
        {"10.0.0.0/33", "the prefix must be 0 to 32"},
        {"10.0.0.0/", "the prefix must be 0 to 32"},
        {"10.0.0.0/-1", "the prefix must be 0 to 32"},
        {"10.0.0.0/+8", "the prefix must be 0 to 32"},
        {"10.0.0.0/08", "the prefix must be 0 to 32"},
        {"10.0.0.0/8 ", "the prefix must be 0 to 32"},
        {"10.0.0.0/8/8", "the prefix must be 0 to 32"},
        {"10.0.0.0/99999999999", "the prefix must be 0 to 32"},
        {"10.0.0.0/255.0.0.0", "the prefix must be 0 to 32"},
        {"fd00::/129", "the prefix must be 0 to 128"},
        {"fe80::1%lo", "a network has no interface"},
        {"fe80::%lo/10", "a network has no interface"},
        {"", expected},
        {"/8", expected},
        {"10/8", expected},
        {"10.0.0/24", expected},
        {"010.0.0.0/8", expected},
        {"10.0.0.256/8", expected},
        {"[::1]/128", expected},
        {"localhost", expected},
        {"10.0.0.0/8,11.0.0.0/8", "the prefix must be 0 to 32"},
        {" 10.0.0.0/8", expected},
        {"fd00::g/8", expected},
        {"10.0.0.1:7", expected},
    };
    for (const Row& row : rows) {
        const auto subnet = parse_subnet(row.given);
        EXPECT_EQ(subnet ? ip_text(subnet->first) + " " + std::to_string(subnet->prefix_bits) : subnet.error().text,
                  row.text)
            << row.given;
    }
}

TEST(Subnets, contain_addresses_of_their_family_with_their_prefix) {
    struct Row {
        const char *subnet, *inside, *outside;
    };
    const Row rows[] = {{"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
                        {"10.0.0.0/8", "10.0.0.0", "9.255.255.255"},
                        {"0.0.0.0/0", "255.1.2.3", "::1"},
                        {"::/0", "2001:db8::1", "10.0.0.1"},
                        {"192.0.2.7", "192.0.2.7", "192.0.2.6"},
                        {"192.0.2.128/25", "192.0.2.255", "192.0.2.127"},
                        {"192.0.2.0/31", "192.0.2.1", "192.0.2.2"},
                        {"::1", "::1", "::2"},
                        {"fe80::/10", "fe80::1%lo", "fec0::1"},
                        {"2001:db8:8000::/33", "2001:db8:ffff::1", "2001:db8:7fff::1"},
                        {"::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"}};
    for (const Row& row : rows) {
        const Subnet subnet = parse_subnet(row.subnet).value();
        EXPECT_TRUE(contains(subnet, address(row.inside))) << row.subnet << " " << row.inside;
        EXPECT_FALSE(contains(subnet, address(row.outside))) << row.subnet << " " << row.outside;
    }
    const Subnet two[] = {parse_subnet("10.0.0.0/8").value(), parse_subnet("::1").value()};
    EXPECT_TRUE(contains(two, address("10.1.1.1")));
    EXPECT_TRUE(contains(two, address("::1")));
    EXPECT_FALSE(contains(two, address("11.1.1.1")));
}

std::string result_of(std::vector<std::string> arguments, ServerOptions& options) {
    CLI::App app;
    add_allow(app, options);
    std::ranges::reverse(arguments);
    try {
        app.parse(arguments);
    } catch (const CLI::Error& error) {
        return error.what();
    }
    return "";
}

TEST(Subnets, of_allow_add_up) {
    ServerOptions options;
    EXPECT_EQ(result_of({"--allow", "10.0.0.0/8", "--allow", "::1"}, options), "");
    ASSERT_EQ(options.allowed.size(), 2u);
    EXPECT_EQ(options.allowed[0], parse_subnet("10.0.0.0/8").value());
    EXPECT_EQ(options.allowed[1], parse_subnet("::1").value());
    EXPECT_EQ(result_of({"--allow", "10.0.0.0/8", "--allow", "10.1.0.0/8"}, options),
              "--allow 10.1.0.0/8: has bits after its prefix; the network is 10.0.0.0/8");
}

TEST(Subnets, where_a_server_listens) {
    const auto text = [](const char* host) { return listening_text(address(host)); };
    EXPECT_EQ(text("::"), "all addresses, port 7");
    EXPECT_EQ(text("0.0.0.0"), "all IPv4 addresses, port 7");
    EXPECT_EQ(text("127.0.0.1"), "127.0.0.1, port 7");
    EXPECT_EQ(text("fe80::1%lo"), "fe80::1%lo, port 7");
}

}  // namespace
}  // namespace ringpost::apps
