#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <ringpost/devices.hpp>
#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "codec/devices/names.hpp"

namespace ringpost::apps {

/// Options shared by node and discover.
struct NodeNetworkOptions {
    CommonOptions common{.engine = {.wait = WaitMode::block}};
    std::string group, group_v6;
    std::vector<std::string> seeds;
    std::vector<std::string> interfaces, ignored_interfaces;
    std::uint16_t tcp_port = devices::default_tcp_port;
};

/// --group, --group6, --seed, --interface, --ignore-interface, --tcp-port and the common options.
void add_node_network(CLI::App& command, NodeNetworkOptions& options);

/// Converts the options for Node::open(). Throws a Failure that names an invalid option and its value.
devices::NodeOptions node_options(const NodeNetworkOptions& options, const std::string& name);

/// Opens a node. Throws a Failure, with Exit::usage if an option is at fault, such as a port in use.
devices::Node open_node(const devices::NodeOptions& options, const Report& report);

/// Explains why a node has no link.
std::string no_link_text(const NodeNetworkOptions& options);

Json peer_json(const devices::Peer& peer);
/// The lines of a table of peers with the columns NAME, ADDRESS and STATE.
std::vector<std::string> table_of(const std::vector<devices::Peer>& peers);
/// The counters of a node and its engine.
Json counts_json(const devices::NodeCounters& counts);

}  // namespace ringpost::apps
