// ringpost discover: lists the named devices on the network. It joins as a device for a moment and prints the peers it
// finds. Of two devices the one whose name sorts first connects, so a name that starts with `!` makes this one connect
// to all others: it needs no TCP port, which a node on the same host may occupy, and its goodbye reaches every peer.

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "apps/cli/help.hpp"
#include "apps/cli/sandbox.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/node_options.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

struct DiscoverOptions {
    NodeNetworkOptions network;
    Duration duration = 3 * second;
};

/// How often to check for a signal.
constexpr Duration signal_poll_interval = 50 * millisecond;

int discover_command(const DiscoverOptions& options) {
    const Report report(options.network.common.form);
    devices::NodeOptions settings = node_options(options.network, fmt::format("!discover-{}", getpid()));
    settings.listen = false;
    Sandbox sandbox(options.network.common, report);
    sandbox.deny_files();
    devices::Node node = open_node(settings, report);
    sandbox.deny_calls({.connections = true});
    if (node.counters().links == 0) throw Failure(Exit::unreachable, no_link_text(options.network));
    const Instant end = now() + options.duration;
    while (received_signal() == 0 && now() < end) {
        const auto notice = node.receive(std::min(signal_poll_interval, end - now()));
        if (notice && notice->kind == devices::Event::Kind::name_taken)
            report.note(fmt::format("our name is also used by {}", to_text(notice->address)));
    }
    const std::vector<devices::Peer> peers = node.peers();
    node.stop();
    for (const std::string& line : table_of(peers)) report.print(line);
    for (const devices::Peer& peer : peers) report.event("peer", peer_json(peer));
    Json summary = {{"peers", peers.size()}, {"backend", node.backend()}};
    add_counters(summary, "devices", node.counters().protocol);
    add_counters(summary, "engine", node.counters().engine);
    report.event("summary", summary);
    return exit_code(Exit::done);
}

}  // namespace

void add_discover(CLI::App& root, Command& chosen) {
    CLI::App* command =
        root.add_subcommand("discover", "list the named devices on the network (exit 4 without multicast)");
    auto options = std::make_shared<DiscoverOptions>();
    begin_group(*command, "End");
    add_parsed(*command, "--duration", options->duration, parse_duration, "time to wait for devices (default 3s)");
    add_node_network(*command, options->network);
    end_help(
        *command,
        {.notes = {}, .examples = {"ringpost discover --duration 1s"}, .exits = {Exit::failed, Exit::unreachable}});
    command->callback([options, &chosen] { chosen = [options] { return discover_command(*options); }; });
}

}  // namespace ringpost::apps
