#include <gtest/gtest.h>

#include "apps/cli/options.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

struct AddressCase {
    std::string given;
    std::string text;  ///< of the address, or of the message
    int code = Exit::done;
};

template <class Resolve>
void check(const AddressCase& row, const Resolve& resolve_it) {
    try {
        EXPECT_EQ(to_text(resolve_it(row.given)), row.text);
        EXPECT_EQ(row.code, Exit::done) << row.given;
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.what(), row.text);
        EXPECT_EQ(failure.exit_code, row.code) << row.given;
    }
}

constexpr int usage = Exit::usage;

TEST(Addresses, of_a_peer) {
    const AddressCase rows[] = {
        {"127.0.0.1:7", "127.0.0.1:7"},
        {"[::1]:7", "[::1]:7"},
        {"[::ffff:192.0.2.1]:7", "192.0.2.1:7"},
        {"[fe80::1%lo]:7", "[fe80::1%lo]:7"},
        {"[fe80::1%1]:7", "[fe80::1%lo]:7"},
        {"[ff02::1]:7", "[ff02::1]:7"},
        {"[fe80::1]:7", "--to [fe80::1]:7: a link-local address needs its interface: [fe80::1%eth0]:7", usage},
        {"[febf::1]:7", "--to [febf::1]:7: a link-local address needs its interface: [febf::1%eth0]:7", usage},
        {"[fe80::1%nosuch]:7", "--to [fe80::1%nosuch]:7: no interface named nosuch", usage},
        {"[fe80::1%99999]:7", "--to [fe80::1%99999]:7: no interface named 99999", usage},
        {"[fe80::1%]:7", "--to [fe80::1%]:7: the interface is missing", usage},
        {"[::1%lo]:7", "--to [::1%lo]:7: only a link-local address has an interface", usage},
        {"[ff02::1%nosuch]:7", "--to [ff02::1%nosuch]:7: no interface named nosuch", usage},
        {"127.0.0.1%lo:7", "--to 127.0.0.1%lo:7: is neither an address nor a host name", usage},
        {"1.2.3.4", "--to 1.2.3.4: the port is missing; expected HOST:PORT", usage},
        {"localhost", "--to localhost: the port is missing; expected HOST:PORT", usage},
        {"", "--to \"\": the port is missing; expected HOST:PORT", usage},
        {"1.2.3.4:", "--to 1.2.3.4:: the port is missing", usage},
        {"1.2.3.4:0", "--to 1.2.3.4:0: the port must be 1 to 65535", usage},
        {"1.2.3.4:65536", "--to 1.2.3.4:65536: the port must be 1 to 65535", usage},
        {"1.2.3.4:-1", "--to 1.2.3.4:-1: the port must be 1 to 65535", usage},
        {"1.2.3.4:http", "--to 1.2.3.4:http: the port must be 1 to 65535", usage},
        {"1.2.3.4: 7", "--to 1.2.3.4: 7: the port must be 1 to 65535", usage},
        {":7", "--to :7: the host is missing", usage},
        {"[]:7", "--to []:7: the host is missing", usage},
        {"[::1]", "--to [::1]: the port is missing; expected [IPv6]:PORT", usage},
        {"[::1]:", "--to [::1]:: the port is missing", usage},
        {"[::1]:0", "--to [::1]:0: the port must be 1 to 65535", usage},
        {"[::1]7", "--to [::1]7: expected [IPv6]:PORT", usage},
        {"[::1", "--to [::1: the bracket is not closed; expected [IPv6]:PORT", usage},
        {"[::1:7", "--to [::1:7: the bracket is not closed; expected [IPv6]:PORT", usage},
        {"::1:7", "--to ::1:7: an IPv6 address needs brackets: [::1]:7", usage},
        {"2001:db8::1:7", "--to 2001:db8::1:7: an IPv6 address needs brackets: [2001:db8::1]:7", usage},
        {"fe80::1%lo:7", "--to fe80::1%lo:7: an IPv6 address needs brackets: [fe80::1%lo]:7", usage},
        {"2001:db8::abcd", "--to 2001:db8::abcd: an IPv6 address needs brackets and a port: [2001:db8::abcd]:PORT",
         usage},
        {"udp://1.2.3.4:7", "--to udp://1.2.3.4:7: expected HOST:PORT or [IPv6]:PORT", usage},
        {"[::g]:7", "--to [::g]:7: is neither an address nor a host name", usage},
        {"1.2.3.400:7", "--to 1.2.3.400:7: is not an IPv4 address", usage},
        {"1.2.3:7", "--to 1.2.3:7: is not an IPv4 address", usage},
        {"010.0.0.1:7", "--to 010.0.0.1:7: is not an IPv4 address", usage},
        {"7:7", "--to 7:7: is not an IPv4 address", usage},
        {"a b:7", "--to a b:7: is neither an address nor a host name", usage},
        {" localhost:7", "--to  localhost:7: is neither an address nor a host name", usage},
        {"\x1b[2J:7", "--to \\x1b[2J:7: is neither an address nor a host name", usage},
        {"a,b:7", "--to a,b:7: is neither an address nor a host name", usage},
        {"*:7", "--to *:7: is neither an address nor a host name", usage},
    };
    for (const AddressCase& row : rows) check(row, [](const auto& text) { return target_address(text); });
}

TEST(Addresses, of_a_peer_with_a_default_port) {
    const AddressCase rows[] = {
        {"127.0.0.1", "127.0.0.1:9"},
        {"127.0.0.1:7", "127.0.0.1:7"},
        {"::1", "[::1]:9"},
        {"[::1]", "[::1]:9"},
        {"[::1]:7", "[::1]:7"},
        {"fe80::1%lo", "[fe80::1%lo]:9"},
        {"fe80::1", "--to fe80::1: a link-local address needs its interface: fe80::1%eth0", usage},
        {"[fe80::1]", "--to fe80::1: a link-local address needs its interface: fe80::1%eth0", usage},
        {"fe80::1%nosuch", "--to fe80::1%nosuch: no interface named nosuch", usage},
        {"", "--to \"\": the host is missing", usage},
        {"[::1", "--to [::1: the bracket is not closed; expected [IPv6]:PORT", usage},
        {"127.0.0.1:", "--to 127.0.0.1:: the port is missing", usage},
        {"1.2.3.4.5", "--to 1.2.3.4.5: is not an IPv4 address", usage},
    };
    for (const AddressCase& row : rows) check(row, [](const auto& text) { return target_address(text, 9); });
}

TEST(Addresses, to_bind) {
    const AddressCase rows[] = {
        {"127.0.0.1", "127.0.0.1:5"},
        {"::1", "[::1]:5"},
        {"[::1]", "[::1]:5"},
        {"0.0.0.0", "0.0.0.0:5"},
        {"fe80::1%lo", "[fe80::1%lo]:5"},
        {"[fe80::1%lo]", "[fe80::1%lo]:5"},
        {"fe80::1", "--bind fe80::1: a link-local address needs its interface: fe80::1%eth0", usage},
        {"fe80::1%nosuch", "--bind fe80::1%nosuch: no interface named nosuch", usage},
        {"ff02::1", "--bind ff02::1: a link-local group needs its interface: ff02::1%eth0", usage},
        {"127.0.0.1:7", "--bind 127.0.0.1:7: expected an address without a port", usage},
        {"[::1]:7", "--bind [::1]:7: expected an address without a port", usage},
        {"[::1", "--bind [::1: expected an address without a port", usage},
        {"1.2.3", "--bind 1.2.3: is not an IPv4 address", usage},
        {"a b", "--bind a b: is neither an address nor a host name", usage},
    };
    for (const AddressCase& row : rows) check(row, [](const auto& text) { return bind_address(text, 5); });
}

}  // namespace
}  // namespace ringpost::apps
