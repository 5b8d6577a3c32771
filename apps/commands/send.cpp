// ringpost send: sends lines of text, each confirmed by the peer. send_native.cpp has the other transport.

#include <fmt/core.h>

#include <cstring>
#include <optional>
#include <ringpost/gtudp.hpp>
#include <string>
#include <utility>

#include "apps/cli/help.hpp"
#include "apps/cli/lines.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/send.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/waker.hpp"
#include "engine/udp/socket_errors.hpp"

namespace ringpost::apps {
namespace {

const char* name_of(gtudp::Outcome outcome) {
    switch (outcome) {
        case gtudp::Outcome::confirmed: return "confirmed";
        case gtudp::Outcome::gave_up_attempts: return "gave up: no answer";
        case gtudp::Outcome::gave_up_deadline: return "gave up: not confirmed in time";
        case gtudp::Outcome::cancelled: return "cancelled";
    }
    return "";
}

std::uint32_t parse_channel(const std::string& text) { return static_cast<std::uint32_t>(parse_whole(text, 0, 7)); }

/// Sends lines until each has its outcome, or a signal arrives.
class LineSender {
  public:
    LineSender(gtudp::Messenger& messenger, const SendOptions& options, const Address& target, const Report& report)
        : messenger_(messenger), options_(options), target_(target), report_(report) {
        if (options.text == "-") return;
        waiting_ = options.text;
        lines_.end();
    }

    void run() {
        const gtudp::Messenger::Handler handler = [this](const gtudp::Event& event) { on_event(event); };
        while (received_signal() == 0 && !unreachable()) {
            if (!waiting_) waiting_ = lines_.next();
            while (waiting_ && send(*waiting_)) waiting_ = lines_.next();
            const bool done = !waiting_ && lines_.ended();
            if (done && messenger_.in_flight() == 0) return;
            messenger_.poll(done && answered() ? never : Lines::poll_interval, handler);
        }
    }

    std::uint64_t failed() const { return failed_; }

    /// The kernel reported the peer as unreachable before anything came from it. Later it may be restarting.
    bool unreachable() const { return !answered() && messenger_.engine_counters().unreachable > 0; }

  private:
    bool answered() const { return messenger_.engine_counters().received > 0; }

    void on_event(const gtudp::Event& event) {
        if (event.kind != gtudp::Event::Kind::outcome) return;
        const bool confirmed = event.outcome == gtudp::Outcome::confirmed;
        if (!confirmed) {
            ++failed_;
            report_.note(fmt::format("{}: {}", to_text(target_), name_of(event.outcome)));
        }
        report_.event("outcome", {{"outcome", name_of(event.outcome)}, {"sends", event.sends}});
    }

    /// Queues a line; false if it must wait for room.
    bool send(const std::string& line) {
        const Instant deadline = options_.timeout > 0 ? now() + options_.timeout : never;
        const auto sent = messenger_.send(target_, as_bytes(line), deadline);
        if (sent) return true;
        if (sent.error() != gtudp::Refusal::too_large) return false;
        ++failed_;
        report_.note(fmt::format("a line of {} bytes is too large: the maximum is {}", line.size(),
                                 options_.transport.codec.data_bytes_max()));
        return true;
    }

    gtudp::Messenger& messenger_;
    const SendOptions& options_;
    Address target_;
    const Report& report_;
    Lines lines_;
    std::optional<std::string> waiting_;  ///< the next line to send
    std::uint64_t failed_ = 0;
};

/// Connected, so that a closed port is reported.
gtudp::Messenger open_messenger(const SendOptions& options, const Address& target) {
    gtudp::OpenOptions wanted = open_options(options.common, options.transport);
    wanted.connect = target;
    auto messenger = gtudp::Messenger::open(wanted);
    // The kernel may choose the target's port if it is free, and the messenger would send to itself.
    while (messenger && messenger->local() == target) messenger = gtudp::Messenger::open(wanted);
    if (messenger) return std::move(*messenger);
    const bool refused = messenger.error().text.starts_with("connect ");
    throw Failure(refused ? Exit::unreachable : Exit::failed,
                  fmt::format("--to {}: {}", options.to, messenger.error().text));
}

int send_command(const SendOptions& options) {
    const Report report(options.common.form);
    const Address target = target_address(options.to);
    check_route("--to", target);
    gtudp::Messenger messenger = open_messenger(options, target);
    const SignalWakes wakes(messenger);
    if (!messenger.note().empty()) report.note(messenger.note());
    LineSender sender(messenger, options, target, report);
    sender.run();
    const gtudp::Counters counts = messenger.counters();
    const EngineCounters engine = messenger.engine_counters();
    const bool unreachable = sender.unreachable();
    const std::uint64_t failed = sender.failed() + (unreachable ? messenger.in_flight() : 0);
    Json summary = {{"sent", counts.taken}, {"failed", failed}, {"backend", messenger.backend()}};
    add_wire(summary, counts);
    add_counters(summary, engine);
    report.event("summary", summary);
    if (counts.confirmed == 0 && engine.send_failed > 0 && !is_unreachable(engine.last_send_errno))
        throw Failure(exit_code(Exit::unreachable),
                      fmt::format("--to {}: {}", options.to, std::strerror(engine.last_send_errno)));
    if (unreachable) {
        report.note(fmt::format("{}: unreachable", to_text(target)));
        return exit_code(Exit::unreachable);
    }
    return exit_code(failed == 0 && counts.confirmed == counts.taken ? Exit::done : Exit::failed);
}

}  // namespace

void add_send(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("send", "send lines of text, each confirmed (exit 0 only if all are)");
    auto options = std::make_shared<SendOptions>();
    begin_group(*command, "Target");
    command->add_option("--to", options->to, "peer, such as `ringpost recv`: a name, IPv4 or [IPv6] address")
        ->type_name("HOST:PORT")
        ->required();
    auto* text =
        command->add_option("TEXT", options->text, "text to send; - sends the lines of standard input (default -)");
    auto* file = command
                     ->add_option("--file", options->file,
                                  "native: send this file as one message; - is standard input (default lines)")
                     ->type_name("FILE")
                     ->excludes(text);
    auto* channel = add_parsed(*command, "--channel", options->channel, parse_channel,
                               "native: channel of the messages, 0 to 7 (default 0)");
    add_parsed(*command, "--timeout", options->timeout, parse_duration,
               "give up on a message after this time (default after --sends and --patience); native: on all");
    add_transport(*command, options->transport, {.reliable = true});
    add_common(*command, options->common, {});
    end_help(*command,
             {.notes = {},
              .examples = {"ringpost send --to 127.0.0.1:7000 \"one line\" --timeout 2s",
                           "dmesg | ringpost send --to 127.0.0.1:7000",
                           "ringpost send --transport native --psk cluster.psk --to 127.0.0.1:7000 --file a.bin"},
              .exits = {Exit::failed, Exit::unreachable}});
    command->callback([options, command, file, channel, &chosen] {
        check_transport(*command, options->transport);
        for (const CLI::Option* option : {file, channel})
            if (option->count() > 0 && !options->transport.native())
                throw CLI::ValidationError(option->get_name() + ": requires --transport native");
        chosen = [options] { return options->transport.native() ? send_native(*options) : send_command(*options); };
    });
}

}  // namespace ringpost::apps
