// A link may get its address seconds after it appears (IPv6 duplicate address detection), and joining a group can fail
// while a link is disappearing. A socket that could not be opened is retried every second until its link is gone.
//
// Seeds need a socket of their address family. If no link provides one, an extra socket without a group is opened.

#include "engine/faces/node_links.hpp"

#include <fmt/core.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/os/address.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost::devices {
namespace {

constexpr Duration retry_after = second;
constexpr int multicast_hops = 3;

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool same(const NodeLinks::Member& a, const NodeLinks::Member& b) { return a.link == b.link && a.own == b.own; }

bool is_among(const std::vector<NodeLinks::Member>& members, const NodeLinks::Member& member) {
    return std::any_of(members.begin(), members.end(), [&](const auto& each) { return same(each, member); });
}

}  // namespace

Result<NodeLinks> NodeLinks::open(const NodeOptions& options) {
    for (const std::string& name : options.interfaces) {
        if (interface_index(name) != 0) continue;
        if (errno == ENODEV)
            return std::unexpected(Error{ENODEV, fmt::format("interface {}: there is none of that name", name)});
        return std::unexpected(system_error("interface " + name, errno));
    }
    auto watcher = LinkWatcher::open();
    if (!watcher) return std::unexpected(watcher.error());
    return NodeLinks(options, std::move(*watcher));
}

bool NodeLinks::changed(Instant now) { return watcher_.changed() || now >= retry_at_; }

NodeLinks::Plan NodeLinks::plan(Instant now) {
    Plan out;
    const auto listed = wanted();
    if (!listed) {  // keep the current sockets
        error_ = listed.error();
        retry_later(now);
        return out;
    }
    const std::vector<Member>& members_wanted = *listed;
    std::erase_if(members_, [&](const Member& member) {
        const bool gone = !is_among(members_wanted, member);
        if (gone) out.closed.push_back(member);
        return gone;
    });
    retry_at_ = never;
    for (const Member& member : members_wanted) {
        if (is_among(members_, member)) continue;
        if (auto socket = open_socket(member)) {
            out.opened.push_back({member, std::move(*socket)});
        } else {
            error_ = socket.error();
            retry_later(now);
        }
    }
    return out;
}

void NodeLinks::retry_later(Instant now) {
    ++failed_;
    if (options_.engine.log && error_) options_.engine.log(LogLevel::warning, error_->text + "; trying again in 1 s");
    retry_at_ = now + retry_after;
}

bool NodeLinks::takes(const Link& link) const {
    if (contains(options_.ignored_interfaces, link.name)) return false;
    return options_.interfaces.empty() ? !link.loopback : contains(options_.interfaces, link.name);
}

Result<std::vector<NodeLinks::Member>> NodeLinks::wanted() const {
    const ProtocolOptions& protocol = options_.protocol;
    std::vector<Member> out;
    const auto links = multicast_links();
    if (!links) return std::unexpected(links.error());
    for (const Link& link : *links) {
        if (!takes(link)) continue;
        if (!link.v4.empty()) out.push_back({.link = link.name, .own = link.v4.front()});
        if (protocol.group_v6 && !link.v6_link_local.empty())
            out.push_back({.link = link.name, .own = link.v6_link_local.front()});
    }
    for (const Address& seed : protocol.seeds) {
        const bool has_way =
            std::any_of(out.begin(), out.end(), [&](const Member& member) { return member.own.family == seed.family; });
        if (has_way) continue;
        if (const auto own = source_address_toward(seed)) out.push_back({.link = "", .own = *own});
    }
    for (Member& member : out) member.own.port = protocol.group.port;
    if (out.size() > limits::devices_interfaces_max) out.resize(limits::devices_interfaces_max);
    return out;
}

Result<UdpSocket> NodeLinks::open_socket(const Member& member) const {
    const ProtocolOptions& protocol = options_.protocol;
    const bool v4 = member.own.family == Family::v4;
    const Address group = v4 ? protocol.group : protocol.group_v6.value_or(protocol.group);
    SocketOptions options;
    options.bind.family = member.own.family;
    if (v4) options.bind = Address::v4(0, 0, 0, 0, 0);
    options.bind.port = group.port;
    options.reuse_address = true;
    auto socket = UdpSocket::open(options);
    if (!socket || member.link.empty()) return socket;
    if (auto done = socket->configure_multicast(member.link, multicast_hops, MulticastLoop::on, member.own); !done)
        return std::unexpected(done.error());
    if (auto joined = socket->join(group, member.link); !joined) return std::unexpected(joined.error());
    return socket;
}

}  // namespace ringpost::devices
