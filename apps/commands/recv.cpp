// ringpost recv: receives messages and prints each once, as a line of text. recv_native.cpp has the other transport.

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <ringpost/gtudp.hpp>
#include <string>
#include <utility>

#include "apps/cli/help.hpp"
#include "apps/cli/printable.hpp"
#include "apps/cli/sandbox.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/recv.hpp"
#include "codec/base/utf8.hpp"
#include "engine/os/address.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {
namespace {

/// Prints messages until a signal, --duration has passed, or until --count of them have been printed and their senders
/// know of it. After those of --count none is accepted.
class Receiver {
  public:
    Receiver(gtudp::Messenger& messenger, const ServerEnd& end, const Report& report)
        : messenger_(messenger), count_(end.count), deadline_(end.deadline(now())), report_(report) {}

    void run() {
        const gtudp::Messenger::Handler print = [this](const gtudp::Event& event) { on_event(event); };
        while (received_signal() == 0) {
            const bool lingers = printed_ >= count_;
            if (lingers && messenger_.awaiting_acks() == 0) return;
            const Instant until = lingers ? std::min(deadline_, last_at_ + last_answers_linger) : deadline_;
            const Duration timeout = until == never ? never : until - now();
            if (timeout <= 0) return;
            // An ACK is no event.
            messenger_.poll(lingers ? std::min(timeout, linger_poll_interval) : timeout, print);
            const std::uint64_t duplicates = messenger_.counters().duplicates;
            if (duplicates != std::exchange(duplicates_, duplicates)) last_at_ = now();
        }
    }

    std::uint64_t printed() const { return printed_; }

  private:
    void on_event(const gtudp::Event& event) {
        if (event.kind == gtudp::Event::Kind::foreign) return print_foreign(event);
        if (event.kind != gtudp::Event::Kind::message) return;
        last_at_ = now();
        ++printed_;
        const std::string text(as_text(event.bytes));
        // Unchanged for pipes and files, but escaped for a terminal.
        report_.print(isatty(STDOUT_FILENO) != 0 ? printable(text) : text);
        report_.event("message", {{"source", to_text(event.peer)}, {"text", text}});
    }

    /// Escaped in any form: it may be anything, and is no message that a program expects.
    void print_foreign(const gtudp::Event& event) const {
        const std::string text(as_text(event.bytes)), source = to_text(event.peer);
        report_.print(fmt::format("not gtUDP, {} bytes from {}: {}", text.size(), source, printable(text)));
        Json fields = {{"source", source}, {"bytes", text.size()}};
        fields.update(is_utf8(text) ? Json{{"text", text}} : Json{{"hex", hex_text(text)}});
        report_.event("foreign", fields);
    }

    static constexpr Duration linger_poll_interval = 10 * millisecond;

    gtudp::Messenger& messenger_;
    std::uint64_t count_;
    Instant deadline_;
    const Report& report_;
    std::uint64_t printed_ = 0, duplicates_ = 0;
    Instant last_at_ = 0;
};

std::uint32_t parse_message_bytes(const std::string& text) {
    const std::uint64_t bytes = parse_byte_count(text);
    if (bytes > limits::native_message_bytes_max) throw std::invalid_argument("a message has at most 1 GiB");
    return static_cast<std::uint32_t>(bytes);
}

int recv_command(const RecvOptions& options) {
    const Report report(options.server.common.form);
    gtudp::OpenOptions wanted = open_options(options.server.common, options.server.transport);
    wanted.bind = bind_address(options.server.bind, options.server.port);
    wanted.allowed = options.server.allowed;
    wanted.protocol.deliveries_max = options.end.count;
    wanted.protocol.recv_from_any = options.foreign;
    auto messenger = gtudp::Messenger::open(wanted);
    if (!messenger) fail_to_open(options.server, messenger.error());
    const SignalWakes wakes(*messenger);
    if (!messenger->note().empty()) report.note(messenger->note());
    Sandbox sandbox(options.server.common, report);
    sandbox.deny_files();
    sandbox.deny_calls();
    report.note("recv listening on " + listening_text(messenger->local()));
    report.event("listening", listening_json(messenger->local()));
    Receiver receiver(*messenger, options.end, report);
    receiver.run();
    Json summary = {{"received", receiver.printed()}, {"backend", messenger->backend()}};
    add_wire(summary, messenger->counters());
    add_counters(summary, messenger->engine_counters());
    if (summary["not_allowed"] > 0) report.note(not_allowed_text(summary));
    report.event("summary", summary);
    return server_exit_code(report, options.end, receiver.printed());
}

}  // namespace

void add_recv(CLI::App& root, Command& chosen) {
    CLI::App* command =
        root.add_subcommand("recv", "receive messages, print each once as a line, escaped on a terminal");
    auto options = std::make_shared<RecvOptions>();
    add_server(*command, options->server);
    add_allow(*command, options->server, Allowed::networks_or_clients);
    add_server_end(*command, options->end, "messages");
    begin_group(*command, "Messages");
    auto* foreign = command->add_flag("--foreign", options->foreign,
                                      "print datagrams that are not gtUDP too, escaped, with their source");
    auto* file =
        command
            ->add_option("--file", options->file,
                         "native: write one message to this file and exit; - is standard output (default lines)")
            ->type_name("FILE");
    auto* largest = add_parsed(*command, "--message-max", options->message_bytes_max, parse_message_bytes,
                               "native: largest message, up to 1G (default 16M)")
                        ->type_name("BYTES");
    add_transport(*command, options->server.transport, {.reliable = true, .server = true});
    add_common(*command, options->server.common, {.offload = true});
    add_sandbox(*command, options->server.common);
    end_help(*command, {.notes = {},
                        .examples = {"ringpost recv --port 7000", "ringpost recv --port 7000 --count 10 --json",
                                     "ringpost recv --transport native --psk cluster.psk --port 7000 --file a.bin"},
                        .exits = {Exit::failed, Exit::unreachable},
                        .server = true});
    command->callback([options, command, foreign, file, largest, &chosen] {
        check_transport(*command, options->server.transport);
        if (foreign->count() > 0 && options->server.transport.native())
            throw CLI::ValidationError("--foreign: not with --transport native");
        for (const CLI::Option* option : {file, largest})
            if (option->count() > 0 && !options->server.transport.native())
                throw CLI::ValidationError(option->get_name() + ": requires --transport native");
        chosen = [options] {
            return options->server.transport.native() ? recv_native(*options) : recv_command(*options);
        };
    });
}

}  // namespace ringpost::apps
