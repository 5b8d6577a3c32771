// Control messages are copied with memcpy, since the buffers hold bytes and not objects of the payload types. The local
// address arrives as in_pktinfo or in6_pktinfo; a dual-stack socket reports an IPv4 datagram in both formats.

#include "engine/udp/control.hpp"

#include <algorithm>
#include <cstring>

#include "codec/base/check.hpp"

namespace ringpost {
namespace {

template <class T>
T value_of(const cmsghdr* message) {
    T value{};
    std::memcpy(&value, CMSG_DATA(message), sizeof value);
    return value;
}

/// The receiving interface's own address: a multicast or broadcast destination cannot be the source of a reply.
/// Family::none if the interface has no IPv4 address.
Address local_of(const in_pktinfo& info) {
    if (info.ipi_spec_dst.s_addr == INADDR_ANY) return {};
    Address out = Address::v4(0, 0, 0, 0, 0);
    std::memcpy(&out.ip[12], &info.ipi_spec_dst, sizeof info.ipi_spec_dst);
    return out;
}

/// Family::none for a multicast destination, and for mapped IPv4 addresses, which in_pktinfo reports.
Address local_of(const in6_pktinfo& info) {
    Address out;
    if (IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr) || IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) return out;
    std::memcpy(out.ip.data(), &info.ipi6_addr, out.ip.size());
    out.family = Family::v6;
    if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) out.scope = info.ipi6_ifindex;
    return out;
}

/// A host delivers a datagram whose hop limit is 0, which no router would have forwarded: it has no more hops than 1.
std::uint8_t hop_limit_of(const cmsghdr* message) {
    return static_cast<std::uint8_t>(std::clamp(value_of<int>(message), 1, 255));
}

/// `never`: no stamp.
Instant instant_of(const timespec& stamp) {
    return stamp.tv_sec > 0 || stamp.tv_nsec > 0 ? Instant{stamp.tv_sec} * second + stamp.tv_nsec : never;
}

void read_ip(const cmsghdr* message, ReceiveControl& out) {
    if (message->cmsg_type == IP_PKTINFO) {
        const auto info = value_of<in_pktinfo>(message);
        out.local = local_of(info);
        out.to_group = info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr;
    } else if (message->cmsg_type == IP_TOS) {
        out.ecn = static_cast<Ecn>(value_of<std::uint8_t>(message) & 3u);
    } else if (message->cmsg_type == IP_TTL) {
        out.hop_limit = hop_limit_of(message);
    }
}

void read_ipv6(const cmsghdr* message, ReceiveControl& out) {
    if (message->cmsg_type == IPV6_PKTINFO) {
        const auto info = value_of<in6_pktinfo>(message);
        if (const Address local = local_of(info); local.family != Family::none) out.local = local;
        if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) out.to_group = true;
    } else if (message->cmsg_type == IPV6_TCLASS) {
        out.ecn = static_cast<Ecn>(value_of<int>(message) & 3);
    } else if (message->cmsg_type == IPV6_HOPLIMIT) {
        out.hop_limit = hop_limit_of(message);
    }
}

}  // namespace

SendControl::SendControl(const Address& local, Family destination, std::uint8_t hop_limit,
                         std::uint16_t segment_bytes) {
    if (local.family == Family::v4) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, &local.ip[12], sizeof info.ipi_spec_dst);
        append(IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else if (local.family == Family::v6) {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, local.ip.data(), local.ip.size());
        info.ipi6_ifindex = local.scope;
        append(IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
    if (const int hops = hop_limit; hops > 0) {
        const bool v4 = destination == Family::v4;
        append(v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_HOPLIMIT, &hops, sizeof hops);
    }
    datagram_bytes_ = bytes_used_;
    if (segment_bytes > 0) append(SOL_UDP, UDP_SEGMENT, &segment_bytes, sizeof segment_bytes);
}

void SendControl::append(int level, int type, const void* value, std::size_t value_bytes) {
    RINGPOST_CHECK(bytes_used_ + CMSG_SPACE(value_bytes) <= bytes_max);
    cmsghdr header{};
    header.cmsg_level = level;
    header.cmsg_type = type;
    header.cmsg_len = CMSG_LEN(value_bytes);
    unsigned char* at = bytes_ + bytes_used_;
    std::memset(at, 0, CMSG_SPACE(value_bytes));
    std::memcpy(at, &header, sizeof header);
    std::memcpy(at + CMSG_LEN(0), value, value_bytes);
    bytes_used_ = static_cast<std::uint16_t>(bytes_used_ + CMSG_SPACE(value_bytes));
}

void SendControl::attach(msghdr& message, Holds holds) {
    message.msg_controllen = holds == Holds::train ? bytes_used_ : datagram_bytes_;
    message.msg_control = message.msg_controllen > 0 ? bytes_ : nullptr;
}

ReceiveControl read_control(void* control, std::size_t control_bytes) {
    ReceiveControl out;
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = control_bytes;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            out.segment_bytes = static_cast<std::size_t>(std::max(value_of<int>(c), 0));
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING) {
            const auto stamps = value_of<scm_timestamping>(c);
            out.stamped_unix_ns = instant_of(stamps.ts[0]);
            out.stamped_device_ns = instant_of(stamps.ts[2]);
        } else if (c->cmsg_level == IPPROTO_IP) {
            read_ip(c, out);
        } else if (c->cmsg_level == IPPROTO_IPV6) {
            read_ipv6(c, out);
        }
    }
    return out;
}

}  // namespace ringpost
