#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <ringpost/node.hpp>
#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "codec/devices/names.hpp"

namespace ringpost::apps {

/// What node and discover have in common.
struct NodeNetworkOptions {
    CommonOptions common{.engine = {.wait = WaitMode::block}};
    std::string group, group_v6;
    std::vector<std::string> seeds;
    std::vector<std::string> interfaces, ignored_interfaces;
    std::uint16_t tcp_port = devices::default_tcp_port;
};

/// --group, --group6, --seed, --interface, --ignore-interface, --tcp-port and the common ones.
void add_node_network(CLI::App& command, NodeNetworkOptions& options);

/// For Node::open(); a Failure names the option and the value.
devices::NodeOptions node_options(const NodeNetworkOptions& options, const std::string& name);

/// Opens it, or throws a Failure with its one line: 2 for what the user chose (a used port, a name), 1 for the rest.
devices::Node open_node(const devices::NodeOptions& options, const Report& report);

Json peer_json(const devices::Peer& peer);
/// `NAME  ADDRESS  STATE` as a table with a heading, for printing line by line.
std::vector<std::string> table_of(const std::vector<devices::Peer>& peers);
/// What a node has done: counters of the protocol and of the engine that tell of loss or refusal.
Json counts_json(const devices::NodeCounters& counts);

}  // namespace ringpost::apps
