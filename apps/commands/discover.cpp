// ringpost discover: who is there. It says hello as a device would, hears who answers, and says goodbye. Its name sorts
// before all usual ones, so that it is the one who connects: so it needs no port of its own, which a node on the same
// host may have, and everybody hears the goodbye.

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "apps/commands/commands.hpp"
#include "apps/commands/node_options.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

struct DiscoverOptions {
    NodeNetworkOptions network;
    Duration duration = 3 * second;
};

/// A signal is looked for so often.
constexpr Duration signal_look_every = 50 * millisecond;

int discover_command(const DiscoverOptions& options) {
    const Report report(options.network.common.form);
    devices::NodeOptions wanted = node_options(options.network, fmt::format("!discover-{}", getpid()));
    wanted.listen = false;
    devices::Node node = open_node(wanted, report);
    const Instant end = now() + options.duration;
    while (received_signal() == 0 && now() < end) {
        const auto notice = node.receive(std::min(signal_look_every, end - now()));
        if (notice && notice->kind == devices::Event::Kind::name_taken)
            report.note(fmt::format("our name is taken at {}", to_text(notice->address)));
    }
    const std::vector<devices::Peer> peers = node.peers();
    node.stop();
    for (const std::string& line : table_of(peers)) report.print(line);
    for (const devices::Peer& peer : peers) report.event("peer", peer_json(peer));
    report.event("summary", {{"peers", peers.size()}, {"backend", node.backend()}});
    return exit_code(Exit::done);
}

}  // namespace

void add_discover(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("discover", "list the named devices that are there");
    auto options = std::make_shared<DiscoverOptions>();
    add_parsed(*command, "--duration", options->duration, parse_duration, "how long to wait for answers (default 3s)");
    add_node_network(*command, options->network);
    command->callback([options, &chosen] { chosen = [options] { return discover_command(*options); }; });
}

}  // namespace ringpost::apps
