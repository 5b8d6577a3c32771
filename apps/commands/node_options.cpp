#include "apps/commands/node_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "apps/cli/sandbox.hpp"
#include "apps/commands/node_names.hpp"
#include "codec/base/limits.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

Address group_address(const std::string& option, const std::string& text, Family family) {
    const auto address = resolve_host_port(text);
    if (address && address->family == family && is_multicast(*address) && address->port != 0) return *address;
    throw Failure(Exit::usage, fmt::format("{} {}: expected a multicast group and a port such as {}", option, text,
                                           family == Family::v4 ? "239.255.4.3:3235" : "[ff02::4:3]:3235"));
}

}  // namespace

void add_node_network(CLI::App& command, NodeNetworkOptions& options) {
    begin_group(command, "Network");
    command.add_option("--group", options.group, "IPv4 multicast group of the adverts (default 239.255.4.3:3235)")
        ->type_name("GROUP:PORT");
    command
        .add_option("--group6", options.group_v6, "further IPv6 multicast group, e.g. [ff02::4:3]:3235 (default none)")
        ->type_name("[GROUP]:PORT");
    command
        .add_option("--seed", options.seeds,
                    "also send adverts to this host, which multicast does not reach; repeatable (default none)")
        ->type_name("HOST[:PORT]");
    command
        .add_option("--interface", options.interfaces,
                    "interface to announce on; repeatable (default all with multicast except loopback)")
        ->type_name("INTERFACE");
    command
        .add_option("--ignore-interface", options.ignored_interfaces,
                    "interface not to announce on; repeatable (default none)")
        ->type_name("INTERFACE");
    add_parsed(command, "--tcp-port", options.tcp_port, parse_port, "TCP port, the same on all devices (default 4112)");
    add_common(command, options.common, {});
    add_sandbox(command, options.common);
}

devices::NodeOptions node_options(const NodeNetworkOptions& options, const std::string& name) {
    devices::NodeOptions out;
    out.protocol.name = name;
    if (!options.group.empty()) out.protocol.group = group_address("--group", options.group, Family::v4);
    if (!options.group_v6.empty()) out.protocol.group_v6 = group_address("--group6", options.group_v6, Family::v6);
    for (const std::string& seed : options.seeds)
        out.protocol.seeds.push_back(peer_address("--seed", seed, out.protocol.group.port));
    if (options.tcp_port == 0) throw Failure(Exit::usage, "--tcp-port 0: must be the same fixed port on all devices");
    out.protocol.tcp_port = options.tcp_port;
    out.interfaces = options.interfaces;
    out.ignored_interfaces = options.ignored_interfaces;
    out.engine = options.common.engine;
    return out;
}

devices::Node open_node(const devices::NodeOptions& options, const Report& report) {
    auto node = devices::Node::open(options);
    if (!node) {
        const Error& error = node.error();
        if (error.text.starts_with("bind ")) {
            const bool tcp = error.text.find(fmt::format(":{}: ", options.protocol.tcp_port)) != std::string::npos;
            throw Failure(Exit::usage, fmt::format("{}: {}",
                                                   tcp ? fmt::format("--tcp-port {}", options.protocol.tcp_port)
                                                       : "--group " + to_text(options.protocol.group),
                                                   error.text));
        }
        const bool chosen = error.code == EINVAL || error.code == ENODEV;
        throw Failure(chosen ? Exit::usage : Exit::failed, (chosen ? "--" : "") + error.text);
    }
    if (!node->note().empty()) report.note(node->note());
    return std::move(*node);
}

std::string no_link_text(const NodeNetworkOptions& options) {
    const std::string which = !options.interfaces.empty()
                                  ? fmt::format(" of --interface {}", fmt::join(options.interfaces, ", "))
                              : !options.ignored_interfaces.empty() ? " but lo and ignored ones"
                                                                    : " but lo";
    return fmt::format("no interface takes multicast: none{} is up with an IPv4 address", which);
}

Json peer_json(const devices::Peer& peer) {
    return {{"name", peer.name},
            {"address", to_text(peer.address)},
            {"presence", name_of(peer.presence)},
            {"connected", peer.connected},
            {"ringpost", peer.is_ringpost},
            {"last_cause", peer.last_cause ? Json(name_of(*peer.last_cause)) : Json()}};
}

std::vector<std::string> table_of(const std::vector<devices::Peer>& peers) {
    std::size_t width = 4;
    for (const devices::Peer& peer : peers) width = std::max(width, shown_name(peer.name).size());
    std::vector<std::string> out{fmt::format("{:<{}}  {:<21}  {}", "NAME", width, "ADDRESS", "STATE")};
    for (const devices::Peer& peer : peers) {
        const std::string state = peer.connected    ? "connected"
                                  : peer.last_cause ? std::string("not connected: ") + name_of(*peer.last_cause)
                                                    : "not connected";
        out.push_back(fmt::format("{:<{}}  {:<21}  {}{}{}", shown_name(peer.name), width, to_text(peer.address),
                                  peer.presence == devices::Presence::suspect ? "suspect, " : "", state,
                                  peer.is_ringpost ? ", ringpost" : ""));
    }
    return out;
}

Json counts_json(const devices::NodeCounters& counts) {
    const devices::Counters& protocol = counts.protocol;
    Json ended = Json::object();
    for (std::size_t i = 0; i < protocol.ended.size(); ++i)
        if (protocol.ended[i] > 0) ended[name_of(static_cast<devices::Cause>(i))] = protocol.ended[i];
    Json out = {{"adverts_sent", protocol.hello_sent + protocol.alive_sent},
                {"adverts_heard", protocol.adverts_heard},
                {"adverts_bad", protocol.adverts_bad},
                {"adverts_limited", protocol.adverts_limited},
                {"connects", protocol.connects},
                {"accepts", protocol.accepts},
                {"ended", ended},
                {"messages_sent", protocol.messages_sent},
                {"messages_received", protocol.messages_received},
                {"questions_sent", protocol.questions_sent},
                {"questions_received", protocol.questions_received},
                {"questions_dropped", counts.questions_dropped},
                {"answers_sent", protocol.answers_sent},
                {"answers_received", protocol.answers_received},
                {"answers_late", protocol.answers_late},
                {"pings_sent", protocol.pings_sent},
                {"pings_received", protocol.pings_received},
                {"unsent", protocol.unsent},
                {"notices_dropped", protocol.notices_dropped},
                {"links", counts.links},
                {"links_failed", counts.links_failed}};
    if (!counts.link_error.empty()) out["link_error"] = counts.link_error;
    add_counters(out, "devices", protocol);
    for (std::size_t i = 0; i < protocol.ended.size(); ++i)
        out["counters"]["devices"]["ended"][name_of(static_cast<devices::Cause>(i))] = protocol.ended[i];
    add_counters(out, counts.engine);
    return out;
}

}  // namespace ringpost::apps
