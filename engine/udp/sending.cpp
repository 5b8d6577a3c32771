// An IPv6 socket also sends IPv4, so each option is set for both; only the one of the peer's family has to succeed.

#include "engine/udp/sending.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "engine/os/system_error.hpp"

namespace ringpost {
namespace {

/// False: failed, see errno.
bool set_int(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

bool set_both(const UdpSocket& socket, int v4_option, int v4_value, int v6_option, int v6_value) {
    const bool v4_done = set_int(socket.fd(), IPPROTO_IP, v4_option, v4_value);
    return socket.family() == Family::v4 ? v4_done : set_int(socket.fd(), IPPROTO_IPV6, v6_option, v6_value);
}

int get_int(const UdpSocket& socket, int level, int option) {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(socket.fd(), level, option, &value, &length) == 0 ? value : 0;
}

std::unexpected<Error> refused(const char* what) { return std::unexpected(system_error(what, errno)); }

}  // namespace

Result<void> set_sending(const UdpSocket& socket, const SendingOptions& options) {
    if (options.dscp) {
        const int traffic_class = *options.dscp << 2;
        if (!set_both(socket, IP_TOS, traffic_class, IPV6_TCLASS, traffic_class)) return refused("set IP_TOS");
    }
    if (options.hop_limit && !set_both(socket, IP_TTL, *options.hop_limit, IPV6_UNICAST_HOPS, *options.hop_limit))
        return refused("set IP_TTL");
    if (options.fragments != SendingOptions::Fragments::allowed) {
        const bool probe = options.fragments == SendingOptions::Fragments::probe;
        if (!set_both(socket, IP_MTU_DISCOVER, probe ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DO, IPV6_MTU_DISCOVER,
                      probe ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DO))
            return refused("set IP_MTU_DISCOVER");
    }
    if (options.busy_poll > 0 &&
        !set_int(socket.fd(), SOL_SOCKET, SO_BUSY_POLL, static_cast<int>(options.busy_poll / microsecond)))
        return refused("set SO_BUSY_POLL");
    if (!options.interface.empty() && setsockopt(socket.fd(), SOL_SOCKET, SO_BINDTODEVICE, options.interface.data(),
                                                 static_cast<socklen_t>(options.interface.size())) != 0)
        return refused("set SO_BINDTODEVICE");
    return {};
}

std::optional<std::size_t> path_mtu(const UdpSocket& socket) {
    const bool v6 = socket.peer().family == Family::v6;
    const int mtu = get_int(socket, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU);
    return mtu > 0 ? std::optional(static_cast<std::size_t>(mtu)) : std::nullopt;
}

std::size_t headers_bytes(Family family) {
    constexpr std::size_t udp = 8, v4 = 20, v6 = 40;
    return udp + (family == Family::v6 ? v6 : v4);
}

BufferSizes buffer_sizes(const UdpSocket& socket) {
    // Linux counts twice what was asked for, for its own overhead (socket(7)).
    return {get_int(socket, SOL_SOCKET, SO_SNDBUF) / 2, get_int(socket, SOL_SOCKET, SO_RCVBUF) / 2};
}

}  // namespace ringpost
