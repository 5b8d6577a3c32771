// A socket bound to a wildcard address requests IP_PKTINFO, so that replies can leave from the address of the request.
// Multicast reception is limited to the groups joined on this socket (IP_MULTICAST_ALL off). The GSO limit is probed
// once per process.

#include "engine/udp/socket.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "codec/base/limits.hpp"
#include "engine/os/address.hpp"
#include "engine/os/bind.hpp"
#include "engine/os/links.hpp"
#include "engine/os/system_error.hpp"
#include "engine/udp/control.hpp"

namespace ringpost {
namespace {

int set_option(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value); }

std::unexpected<Error> failed(const std::string& what) { return std::unexpected(system_error(what, errno)); }

}  // namespace

Result<UdpSocket> UdpSocket::open(const SocketOptions& options) {
    if (options.adopted >= 0) return adopt(options);
    const Family family = options.bind.family != Family::none ? options.bind.family : options.connect.family;
    const int fd = ::socket(family == Family::v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return failed("open a UDP socket");
    UdpSocket socket(fd, family);
    if (auto done = socket.configure(options); !done) return std::unexpected(done.error());
    return socket;
}

Result<UdpSocket> UdpSocket::adopt(const SocketOptions& options) {
    int type = 0;
    socklen_t length = sizeof type;
    if (getsockopt(options.adopted, SOL_SOCKET, SO_TYPE, &type, &length) != 0) return failed("adopt the socket");
    SocketAddress address;
    length = sizeof address;
    if (getsockname(options.adopted, &address.any, &length) != 0) return failed("getsockname");
    const bool is_v4 = address.any.sa_family == AF_INET;
    if (type != SOCK_DGRAM || (!is_v4 && address.any.sa_family != AF_INET6))
        return std::unexpected(Error{EINVAL, "adopt the socket: it is not a UDP socket"});
    const int fd = fcntl(options.adopted, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return failed("adopt the socket");
    UdpSocket socket(fd, is_v4 ? Family::v4 : Family::v6);
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) return failed("adopt the socket");
    SocketOptions wanted = options;
    if (from_socket_address(address.any).port != 0) {
        wanted.bind = {};
    } else if (options.bind.family != socket.family_) {
        wanted.bind = Address{.family = socket.family_};
        if (is_v4) wanted.bind = Address::v4(0, 0, 0, 0, 0);
    }
    if (auto done = socket.configure(wanted); !done) return std::unexpected(done.error());
    return socket;
}

Result<void> UdpSocket::configure(const SocketOptions& options) {
    // Best effort: the kernel may grant less. The resulting drops are counted.
    set_option(fd_, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
    set_option(fd_, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
    if (family_ == Family::v6) set_option(fd_, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    set_option(fd_, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    if (family_ == Family::v6) set_option(fd_, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
    if (options.broadcast) set_option(fd_, SOL_SOCKET, SO_BROADCAST, 1);
    if (options.reuse_port && set_option(fd_, SOL_SOCKET, SO_REUSEPORT, 1) != 0) return failed("set SO_REUSEPORT");
    if (options.reuse_address && set_option(fd_, SOL_SOCKET, SO_REUSEADDR, 1) != 0) return failed("set SO_REUSEADDR");
    gro_ = options.gro && set_option(fd_, SOL_UDP, UDP_GRO, 1) == 0;
    if (options.stamps) {
        // Generate time stamps on receive, and report them.
        int stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
        if (!options.stamping_device.empty()) {
            auto clock = DeviceClock::open(options.stamping_device);
            if (!clock) return std::unexpected(clock.error());
            device_clock_ = std::make_unique<DeviceClock>(std::move(*clock));
            stamps = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
        }
        if (set_option(fd_, SOL_SOCKET, SO_TIMESTAMPING, stamps) != 0) return failed("set SO_TIMESTAMPING");
        stamps_ = true;
    }
    if (options.bind.family != Family::none) {
        const PortInUse in_use = options.reuse_address ? PortInUse::fails : PortInUse::waits;
        const int error = bind_socket(fd_, family_, options.bind, in_use);
        if (error != 0) return std::unexpected(system_error("bind " + to_text(options.bind), error));
    }
    if (options.ecn) {
        const bool v6_done = family_ == Family::v4 || set_option(fd_, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) == 0;
        if (!v6_done || set_option(fd_, IPPROTO_IP, IP_RECVTOS, 1) != 0) return failed("set IP_RECVTOS");
        ecn_ = true;
    }
    // Datagrams to a group have a separate hop limit, usually 1, which must not become that of replies.
    if (options.hop_limits && !is_multicast(options.bind)) {
        const bool v6_done = family_ == Family::v4 || set_option(fd_, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) == 0;
        if (!v6_done || set_option(fd_, IPPROTO_IP, IP_RECVTTL, 1) != 0) return failed("set IP_RECVTTL");
        hop_limits_ = true;
    }
    allowed_ = options.allowed;
    if (options.reports_errors) {
        const bool v6_done = family_ == Family::v4 || set_option(fd_, IPPROTO_IPV6, IPV6_RECVERR, 1) == 0;
        if (!v6_done || set_option(fd_, IPPROTO_IP, IP_RECVERR, 1) != 0) return failed("set IP_RECVERR");
        reports_errors_ = true;
    }
    if (options.connect.family != Family::none) return connect(options.connect);
    if (auto done = read_local(); !done) return done;
    if (!is_any(local_)) return {};
    // A dual-stack socket also reports IPv4 as IP_PKTINFO, which has an address usable as the source of a reply.
    const bool v6_done = family_ == Family::v4 || set_option(fd_, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) == 0;
    if (!v6_done || set_option(fd_, IPPROTO_IP, IP_PKTINFO, 1) != 0) return failed("set IP_PKTINFO");
    reports_local_ = true;
    return {};
}

std::size_t UdpSocket::control_bytes() const {
    return (gro_ ? gro_control_bytes : 0) + (stamps_ ? stamp_control_bytes : 0) +
           (reports_local_ ? local_control_bytes : 0) + (ecn_ ? ecn_control_bytes : 0) +
           (hop_limits_ ? hop_limit_control_bytes : 0);
}

void UdpSocket::discard_errors() const {
    msghdr message{};
    while (recvmsg(fd_, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) message = {};
}

Result<void> UdpSocket::read_local() {
    SocketAddress address;
    socklen_t length = sizeof address;
    if (getsockname(fd_, &address.any, &length) != 0) return failed("getsockname");
    local_ = from_socket_address(address.any);
    return {};
}

Result<void> UdpSocket::steer_by_second_byte(std::byte mask, std::byte value) {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, std::to_integer<std::uint32_t>(mask)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, std::to_integer<std::uint32_t>(value), 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 1),
        BPF_STMT(BPF_RET | BPF_A, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const sock_fprog program{std::size(code), code};
    if (setsockopt(fd_, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) != 0)
        return failed("set SO_ATTACH_REUSEPORT_CBPF");
    return {};
}

Result<void> UdpSocket::connect(const Address& peer) {
    SocketAddress address;
    const socklen_t length = to_socket_address(peer, family_, address);
    if (::connect(fd_, &address.any, length) != 0) return failed("connect " + to_text(peer));
    peer_ = peer;
    return read_local();
}

UdpSocket::UdpSocket(UdpSocket&& other) noexcept { *this = std::move(other); }

UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    family_ = other.family_;
    local_ = other.local_;
    peer_ = other.peer_;
    gro_ = other.gro_;
    stamps_ = other.stamps_;
    device_clock_ = std::move(other.device_clock_);
    ecn_ = other.ecn_;
    hop_limits_ = other.hop_limits_;
    reports_errors_ = other.reports_errors_;
    reports_local_ = other.reports_local_;
    drops_seen_ = other.drops_seen_;
    allowed_ = std::move(other.allowed_);
    return *this;
}

UdpSocket::~UdpSocket() {
    if (fd_ >= 0) ::close(fd_);
}

Result<void> UdpSocket::membership(int option, const char* verb, const Address& group,
                                   const std::string& interface) const {
    group_req request{};
    if (!interface.empty()) {
        request.gr_interface = interface_index(interface);
        if (request.gr_interface == 0) return failed(fmt::format("{} {} on {}", verb, ip_text(group), interface));
    }
    SocketAddress address;
    const socklen_t length = to_socket_address(group, group.family, address);
    std::memcpy(&request.gr_group, &address, length);
    const int level = group.family == Family::v4 ? IPPROTO_IP : IPPROTO_IPV6;
    if (setsockopt(fd_, level, option, &request, sizeof request) != 0)
        return failed(
            fmt::format("{} {} on {}", verb, ip_text(group), interface.empty() ? "any interface" : interface));
    return {};
}

Result<void> UdpSocket::join(const Address& group, const std::string& interface) {
    return membership(MCAST_JOIN_GROUP, "join", group, interface);
}

Result<void> UdpSocket::leave(const Address& group, const std::string& interface) {
    return membership(MCAST_LEAVE_GROUP, "leave", group, interface);
}

Result<void> UdpSocket::configure_multicast(const std::string& interface, int hops, MulticastLoop loop,
                                            const Address& source) {
    const int looped = loop == MulticastLoop::on ? 1 : 0;
    const unsigned index = interface.empty() ? 0 : interface_index(interface);
    if (!interface.empty() && index == 0) return failed("multicast on " + interface);
    ip_mreqn choice{};
    choice.imr_ifindex = static_cast<int>(index);
    if (source.family == Family::v4) std::memcpy(&choice.imr_address, &source.ip[12], sizeof choice.imr_address);
    // A dual-stack socket sends IPv4 and IPv6, so it needs both sets of options.
    const bool v4_done = setsockopt(fd_, IPPROTO_IP, IP_MULTICAST_IF, &choice, sizeof choice) == 0 &&
                         set_option(fd_, IPPROTO_IP, IP_MULTICAST_TTL, hops) == 0 &&
                         set_option(fd_, IPPROTO_IP, IP_MULTICAST_LOOP, looped) == 0;
    const bool v6_done =
        family_ == Family::v4 || (set_option(fd_, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index)) == 0 &&
                                  set_option(fd_, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops) == 0 &&
                                  set_option(fd_, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, looped) == 0);
    if (!v4_done || !v6_done) return failed("multicast on " + interface);
    return {};
}

std::uint64_t UdpSocket::new_drops() {
    std::uint32_t info[SK_MEMINFO_VARS] = {};
    socklen_t length = sizeof info;
    if (getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, info, &length) != 0) return 0;
    const std::uint32_t drops = info[SK_MEMINFO_DROPS];
    return std::uint32_t{drops - std::exchange(drops_seen_, drops)};  // modulo 2^32, as the kernel counts
}

Address any_address(std::uint16_t port) {
    Address any = Address::v4(0, 0, 0, 0, port);
    SocketOptions options;
    options.bind.family = Family::v6;
    if (!UdpSocket::open(options)) return any;
    any.ip = {};
    any.family = Family::v6;
    return any;
}

Result<Address> source_address_toward(const Address& target) {
    SocketOptions options;
    options.connect = target;
    auto socket = UdpSocket::open(options);
    if (!socket) return std::unexpected(socket.error());
    return socket->local();
}

std::size_t kernel_train_segments() {
    static const std::size_t segments = []() -> std::size_t {
        SocketOptions options;
        options.bind = Address::v4(127, 0, 0, 1, 0);
        auto receiver = UdpSocket::open(options);
        if (!receiver)
            return limits::train_segments_always;  // no IPv4 loopback to test on; send errors latch singles later
        options.connect = receiver->local();
        auto sender = UdpSocket::open(options);
        if (!sender) return limits::train_segments_always;
        std::vector<std::byte> bytes(limits::train_segments_max);
        for (const std::size_t count : {limits::train_segments_max, limits::train_segments_always}) {
            iovec vector{bytes.data(), count};
            SendControl control({}, Family::v4, 0, 1);
            msghdr message{};
            message.msg_iov = &vector;
            message.msg_iovlen = 1;
            control.attach(message, SendControl::Holds::train);
            if (sendmsg(sender->fd(), &message, MSG_DONTWAIT) == static_cast<ssize_t>(count)) return count;
        }
        return 1;
    }();
    return segments;
}

}  // namespace ringpost
