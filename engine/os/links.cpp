// The links are read from getifaddrs(3). Changes are detected by an rtnetlink socket subscribed to link and address
// notifications; their contents are ignored, and the caller reads the list again.

#include "engine/os/links.hpp"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <utility>

#include "engine/os/address.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost {
namespace {

// A link that is up without a carrier accepts datagrams but loses them.
bool takes_multicast(unsigned flags) {
    return (flags & IFF_UP) != 0 && (flags & IFF_RUNNING) != 0 && (flags & (IFF_MULTICAST | IFF_LOOPBACK)) != 0;
}

bool is_link_local(const Address& address) { return address.ip[0] == 0xfe && (address.ip[1] & 0xc0) == 0x80; }

/// Whether the address is usable as a source: not while duplicate address detection is in progress (RFC 4862).
bool is_assigned(const Address& address) {
    const int fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return true;
    SocketAddress bound;
    const socklen_t length = to_socket_address(address, Family::v6, bound);
    const bool refused = ::bind(fd, &bound.any, length) != 0 && errno == EADDRNOTAVAIL;
    ::close(fd);
    return !refused;
}

/// Finds the link of that name, or adds it. Null if the interface no longer exists.
Link* link_named(std::vector<Link>& links, const ifaddrs& at) {
    std::string name = at.ifa_name;
    name.resize(std::min(name.size(), name.find(':')));  // eth0:1 is the label of an address of eth0
    const auto found = std::find_if(links.begin(), links.end(), [&](const Link& link) { return link.name == name; });
    if (found != links.end()) return &*found;
    const unsigned index = interface_index(name);
    if (index == 0) return nullptr;
    Link& link = links.emplace_back();
    link.name = name;
    link.index = index;
    link.loopback = (at.ifa_flags & IFF_LOOPBACK) != 0;
    return &link;
}

}  // namespace

unsigned interface_index(const std::string& name) {
    ifreq request{};
    if (name.size() >= sizeof request.ifr_name) {
        errno = ENODEV;
        return 0;
    }
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    name.copy(request.ifr_name, name.size());
    const int failed = ::ioctl(fd, SIOCGIFINDEX, &request) == 0 ? 0 : errno;
    ::close(fd);
    errno = failed;
    return failed == 0 ? static_cast<unsigned>(request.ifr_ifindex) : 0;
}

Result<std::vector<Link>> multicast_links() {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return std::unexpected(system_error("list the network interfaces", errno));
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, &freeifaddrs);
    std::vector<Link> links;
    for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
        if (!takes_multicast(at->ifa_flags)) continue;
        Link* link = link_named(links, *at);
        if (link == nullptr && (errno == EMFILE || errno == ENFILE))
            return std::unexpected(system_error("list the network interfaces", errno));
        if (link == nullptr || at->ifa_addr == nullptr) continue;
        const Address address = from_socket_address(*at->ifa_addr);
        if (address.family == Family::v4) link->v4.push_back(address);
        if (address.family == Family::v6 && is_link_local(address) && is_assigned(address))
            link->v6_link_local.push_back(address);
    }
    std::sort(links.begin(), links.end(), [](const Link& a, const Link& b) { return a.index < b.index; });
    return links;
}

Result<LinkWatcher> LinkWatcher::open() {
    const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0) return std::unexpected(system_error("open a netlink socket", errno));
    LinkWatcher watcher(fd);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return std::unexpected(system_error("watch the network interfaces", errno));
    return watcher;
}

LinkWatcher::LinkWatcher(LinkWatcher&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

LinkWatcher::~LinkWatcher() {
    if (fd_ >= 0) ::close(fd_);
}

bool LinkWatcher::changed() {
    // The contents are ignored, because callers reread the list. ENOBUFS means that messages were lost: also a change.
    bool changed = false;
    while (true) {
        std::byte message[8192];
        const ssize_t got = ::recv(fd_, message, sizeof message, MSG_DONTWAIT);
        if (got < 0 && errno != ENOBUFS && errno != EINTR) return changed;
        changed |= got >= 0 || errno == ENOBUFS;
    }
}

}  // namespace ringpost
