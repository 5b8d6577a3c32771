// How sockets send, and sockets that were made elsewhere.

#include "engine/udp/sending.hpp"

#include <fcntl.h>
#include <netinet/in.h>

#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {
namespace {

int option_of(const UdpSocket& socket, int level, int option) {
    int value = -1;
    socklen_t length = sizeof value;
    EXPECT_EQ(getsockopt(socket.fd(), level, option, &value, &length), 0) << std::strerror(errno);
    return value;
}

TEST(Sending, without_options_changes_nothing) {
    const UdpSocket socket = UdpSocket::open(bound_to(loopback_v4())).value();
    const int tos = option_of(socket, IPPROTO_IP, IP_TOS), ttl = option_of(socket, IPPROTO_IP, IP_TTL);
    EXPECT_TRUE(set_sending(socket, {}));
    EXPECT_EQ(option_of(socket, IPPROTO_IP, IP_TOS), tos);
    EXPECT_EQ(option_of(socket, IPPROTO_IP, IP_TTL), ttl);
}

TEST(Sending, sets_the_options_of_both_families) {
    using Fragments = SendingOptions::Fragments;
    for (const Address& bind : {loopback_v4(), loopback_v6()})
        for (const Fragments fragments : {Fragments::refused, Fragments::probe}) {
            const UdpSocket socket = UdpSocket::open(bound_to(bind)).value();
            SendingOptions options;
            options.dscp = 46;
            options.hop_limit = 7;
            options.fragments = fragments;
            ASSERT_TRUE(set_sending(socket, options));
            const bool probe = fragments == Fragments::probe;
            EXPECT_EQ(option_of(socket, IPPROTO_IP, IP_TOS), 46 << 2);
            EXPECT_EQ(option_of(socket, IPPROTO_IP, IP_TTL), 7);
            EXPECT_EQ(option_of(socket, IPPROTO_IP, IP_MTU_DISCOVER), probe ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DO);
            if (bind.family == Family::v4) continue;
            EXPECT_EQ(option_of(socket, IPPROTO_IPV6, IPV6_TCLASS), 46 << 2);
            EXPECT_EQ(option_of(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 7);
            EXPECT_EQ(option_of(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER),
                      probe ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DO);
        }
}

TEST(Sending, an_interface_that_does_not_exist_is_named_by_the_option) {
    const UdpSocket socket = UdpSocket::open(bound_to(loopback_v4())).value();
    SendingOptions options;
    options.interface = "no-such-device";
    const auto set = set_sending(socket, options);
    ASSERT_FALSE(set);
    EXPECT_TRUE(set.error().text.starts_with("set SO_BINDTODEVICE: ")) << set.error().text;
}

TEST(Sending, what_the_kernel_grants_can_be_read) {
    for (const Address& bind : {loopback_v4(), loopback_v6()}) {
        const UdpSocket peer = UdpSocket::open(bound_to(bind)).value();
        const UdpSocket socket = UdpSocket::open(connected_to(peer.local())).value();
        EXPECT_GE(path_mtu(socket).value_or(0), 1'280u);
        EXPECT_FALSE(bind.family == Family::v4 && path_mtu(peer)) << "it has no peer";
        EXPECT_EQ(headers_bytes(bind.family), bind.family == Family::v4 ? 28u : 48u);
        const BufferSizes sizes = buffer_sizes(socket);
        EXPECT_EQ(2 * sizes.send, option_of(socket, SOL_SOCKET, SO_SNDBUF));
        EXPECT_EQ(2 * sizes.receive, option_of(socket, SOL_SOCKET, SO_RCVBUF));
    }
}

TEST(Multicast, without_an_interface_the_kernel_chooses_one) {
    UdpSocket socket = UdpSocket::open(bound_to(loopback_v4())).value();
    EXPECT_TRUE(socket.configure_multicast("", 3, MulticastLoop::off, {}));
    EXPECT_EQ(option_of(socket, IPPROTO_IP, IP_MULTICAST_TTL), 3);
    EXPECT_EQ(option_of(socket, IPPROTO_IP, IP_MULTICAST_LOOP), 0);
    const auto joined = socket.join(loopback_v4(), "");
    ASSERT_FALSE(joined);
    EXPECT_EQ(joined.error().text, "join 127.0.0.1 on any interface: Invalid argument");
}

TEST(Multicast, a_socket_of_a_group_does_not_report_hop_limits) {
    SocketOptions options = bound_to(Address::v4(239, 1, 1, 1, 0));
    options.hop_limits = true;
    const UdpSocket socket = UdpSocket::open(options).value();
    EXPECT_EQ(option_of(socket, IPPROTO_IP, IP_RECVTTL), 0);
}

TEST(Stamps, of_a_device_that_has_none_are_refused) {
    SocketOptions options = bound_to(loopback_v4());
    options.stamps = true;
    options.stamping_device = "lo";
    EXPECT_EQ(UdpSocket::open(options).error().code, EOPNOTSUPP);
}

// ---- sockets of the caller ------------------------------------------------------------------------

Result<UdpSocket> adopt(int fd, const Address& bind = {}) {
    SocketOptions options;
    options.adopted = fd;
    options.bind = bind;
    options.reuse_address = true;  // an address in use is refused at once
    return UdpSocket::open(options);
}

TEST(AdoptedSockets, keep_their_address_or_get_one) {
    for (const Address& local : {loopback_v4(), loopback_v6()}) {
        const Peer bound(local);
        const UdpSocket socket = adopt(bound.fd(), loopback_v4(9)).value();
        EXPECT_EQ(socket.local(), bound.local());
        EXPECT_EQ(socket.family(), local.family);
        EXPECT_NE(fcntl(socket.fd(), F_GETFL) & O_NONBLOCK, 0);
        for (const Address& wanted : {local, loopback_v4(), Address{}}) {
            const int fd = ::socket(local.family == Family::v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            const UdpSocket own = adopt(fd, wanted).value();
            ::close(fd);
            EXPECT_NE(own.local().port, 0);
            EXPECT_EQ(own.local().family, local.family);
            EXPECT_EQ(is_any(own.local()), wanted.family != local.family);
        }
    }
}

TEST(AdoptedSockets, others_are_refused) {
    for (const auto& [domain, type] : {std::pair{AF_INET, SOCK_STREAM}, std::pair{AF_UNIX, SOCK_DGRAM}}) {
        const int fd = ::socket(domain, type | SOCK_CLOEXEC, 0);
        EXPECT_EQ(adopt(fd).error().text, "adopt the socket: it is not a UDP socket");
        ::close(fd);
    }
    EXPECT_EQ(adopt(STDIN_FILENO).error().text.substr(0, 18), "adopt the socket: ");
}

TEST(AdoptedSockets, an_address_in_use_is_refused) {
    const Peer taken(loopback_v4());
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const auto refused = adopt(fd, taken.local());
    ::close(fd);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EADDRINUSE);
}

}  // namespace
}  // namespace ringpost::test
