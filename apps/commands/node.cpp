// ringpost node: a named device that finds other devices and exchanges messages, questions and answers with them.

#include <fmt/core.h>

#include <exception>
#include <string>

#include "apps/cli/help.hpp"
#include "apps/cli/sandbox.hpp"
#include "apps/cli/server_end.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/node_console.hpp"
#include "apps/commands/node_names.hpp"
#include "apps/commands/node_options.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {
namespace {

struct NodeCommandOptions {
    NodeNetworkOptions network;
    NodeConsoleOptions console;
    std::string name;
    Duration period = devices::Options{}.period;
};

constexpr const char* console_help =
    "Commands on standard input: send NAME|* TEXT, ask NAME[,NAME]|* TEXT, peers, quit. A name with\n"
    "spaces or commas stands in quotes, as it is printed; \\xNN is a byte.";

/// Peers ignore a device that advertises much more often (codec/devices/endpoint.hpp).
Duration parse_advert_period(const std::string& text) {
    const Duration period = parse_duration(text);
    if (period < 100 * millisecond) throw std::invalid_argument("the period must be at least 100ms");
    return period;
}

int node_command(const NodeCommandOptions& options) {
    const Report report(options.network.common.form);
    const Waker waker = value_or_fail(Waker::open());
    const SignalWakes wakes(waker);
    devices::NodeOptions settings = node_options(options.network, options.name);
    settings.protocol.period = options.period;
    settings.questions_at_once = answer_commands;
    CommonOptions common = options.network.common;
    // Commands would inherit it and could hardly do anything.
    common.sandbox = common.sandbox && options.console.answer.empty();
    Sandbox sandbox(common, report);
    sandbox.deny_files();
    devices::Node node = open_node(settings, report);
    sandbox.deny_calls({.connections = true});
    report.note(fmt::format("node {} on TCP port {}", shown_name(options.name), options.network.tcp_port));
    if (node.counters().links == 0) report.note(no_link_text(options.network) + "; waiting for one");
    report.event("listening", {{"name", options.name}, {"port", options.network.tcp_port}});
    const std::exception_ptr failure = NodeConsole(node, options.console, report, waker).run();
    Json summary = counts_json(node.counters());
    summary["backend"] = node.backend();
    report.event("summary", summary);
    if (failure) std::rethrow_exception(failure);
    return server_exit_code(Exit::done);
}

}  // namespace

void add_node(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("node", "join a network of named devices: send messages, ask and answer");
    auto options = std::make_shared<NodeCommandOptions>();
    begin_group(*command, "Device");
    add_parsed(*command, "--name", options->name, parse_device_name,
               "name of this device, unique on the network; without spaces, commas and quotes")
        ->type_name("NAME")
        ->required();
    auto* answer = command
                       ->add_option("--answer", options->console.answer,
                                    "shell command that reads a question from standard input and writes the answer to "
                                    "standard output; runs up to 8 times at once, 4 for one host (default none)")
                       ->type_name("COMMAND");
    add_parsed(*command, "--answer-timeout", options->console.answer_timeout, parse_duration,
               "kill the --answer command after this time (default 2s)")
        ->needs(answer);
    add_parsed(*command, "--ask-timeout", options->console.ask_timeout, parse_duration,
               "time to wait for answers (default 2s)");
    add_parsed(*command, "--period", options->period, parse_advert_period,
               "interval between adverts, at least 100ms; a peer is suspect after two without one and gone after five "
               "(default 30s)");
    add_node_network(*command, options->network);
    end_help(*command, {.notes = console_help,
                        .examples = {"ringpost node --name panel",
                                     "ringpost node --name pump --answer 'read what; echo \"$what: 4.2 bar\"'"},
                        .exits = {Exit::failed, Exit::unreachable},
                        .server = true});
    command->callback([options, &chosen] { chosen = [options] { return node_command(*options); }; });
}

}  // namespace ringpost::apps
