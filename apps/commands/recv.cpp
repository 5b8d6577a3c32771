// ringpost recv: receives gtUDP messages and prints each once, as a line of text.

#include <fmt/core.h>
#include <unistd.h>

#include <ringpost/gtudp.hpp>
#include <string>
#include <utility>

#include "apps/cli/help.hpp"
#include "apps/cli/sandbox.hpp"
#include "apps/commands/commands.hpp"
#include "engine/os/address.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {
namespace {

struct RecvOptions {
    ServerOptions server;
    std::uint64_t count = UINT64_MAX;
};

/// After the last message of --count, keep confirming duplicates until none has arrived for this long, in case the
/// sender has missed the confirmation. No further message is accepted.
constexpr Duration last_linger = 500 * millisecond;

/// Prints messages until a signal, or until --count of them have been printed and their senders are served.
class Receiver {
  public:
    Receiver(gtudp::Messenger& messenger, std::uint64_t count, const Report& report)
        : messenger_(messenger), count_(count), report_(report) {}

    void run() {
        const gtudp::Messenger::Handler print = [this](const gtudp::Event& event) { on_event(event); };
        while (received_signal() == 0) {
            const Duration timeout = printed_ < count_ ? never : last_at_ + last_linger - now();
            if (timeout <= 0) return;
            messenger_.poll(timeout, print);
            const std::uint64_t duplicates = messenger_.counters().duplicates;
            if (duplicates != std::exchange(duplicates_, duplicates)) last_at_ = now();
        }
    }

    std::uint64_t printed() const { return printed_; }

  private:
    void on_event(const gtudp::Event& event) {
        if (event.kind != gtudp::Event::Kind::message) return;
        last_at_ = now();
        ++printed_;
        const std::string text(as_text(event.bytes));
        // Unchanged for pipes and files, but escaped for a terminal.
        report_.print(isatty(STDOUT_FILENO) != 0 ? printable(text) : text);
        report_.event("message", {{"source", to_text(event.peer)}, {"text", text}});
    }

    gtudp::Messenger& messenger_;
    std::uint64_t count_;
    const Report& report_;
    std::uint64_t printed_ = 0, duplicates_ = 0;
    Instant last_at_ = 0;
};

int recv_command(const RecvOptions& options) {
    const Report report(options.server.common.form);
    gtudp::OpenOptions wanted = open_options(options.server.common, options.server.transport);
    wanted.bind = bind_address(options.server.bind, options.server.port);
    wanted.allowed = options.server.allowed;
    wanted.protocol.deliveries_max = options.count;
    auto messenger = gtudp::Messenger::open(wanted);
    if (!messenger) fail_to_open(options.server, messenger.error());
    const SignalWakes wakes(*messenger);
    if (!messenger->note().empty()) report.note(messenger->note());
    Sandbox sandbox(options.server.common, report);
    sandbox.deny_files();
    sandbox.deny_calls();
    report.note("recv listening on " + listening_text(messenger->local()));
    report.event("listening", listening_json(messenger->local()));
    Receiver receiver(*messenger, options.count, report);
    receiver.run();
    Json summary = {{"received", receiver.printed()}, {"backend", messenger->backend()}};
    add_wire(summary, messenger->counters());
    add_counters(summary, messenger->engine_counters());
    if (summary["not_allowed"] > 0) report.note(not_allowed_text(summary));
    report.event("summary", summary);
    return exit_code(Exit::done);
}

}  // namespace

void add_recv(CLI::App& root, Command& chosen) {
    CLI::App* command =
        root.add_subcommand("recv", "receive messages, print each once as a line, escaped on a terminal");
    auto options = std::make_shared<RecvOptions>();
    add_server(*command, options->server);
    add_allow(*command, options->server);
    begin_group(*command, "End");
    add_parsed(*command, "--count", options->count, parse_count,
               "exit after this number of messages (default unlimited)");
    add_transport(*command, options->server.transport, {.gtudp_only = true});
    add_common(*command, options->server.common, {.offload = true});
    add_sandbox(*command, options->server.common);
    end_help(*command, {.notes = {},
                        .examples = {"ringpost recv --port 7000", "ringpost recv --port 7000 --count 10 --json"},
                        .exits = {Exit::failed, Exit::unreachable}});
    command->callback([options, command, &chosen] {
        check_transport(*command, options->server.transport);
        chosen = [options] { return recv_command(*options); };
    });
}

}  // namespace ringpost::apps
