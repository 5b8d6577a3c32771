// ringpost send: sends lines of text over gtUDP, each confirmed by the peer.

#include <fmt/core.h>

#include <cstring>
#include <optional>
#include <ringpost/gtudp.hpp>
#include <string>
#include <utility>

#include "apps/cli/help.hpp"
#include "apps/cli/lines.hpp"
#include "apps/commands/commands.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/waker.hpp"
#include "engine/udp/socket_errors.hpp"

namespace ringpost::apps {
namespace {

struct SendOptions {
    CommonOptions common;
    TransportOptions transport;
    std::string to;
    std::string text = "-";
    Duration timeout = 0;  ///< 0: give up after --sends and --patience
};

const char* name_of(gtudp::Outcome outcome) {
    switch (outcome) {
        case gtudp::Outcome::confirmed: return "confirmed";
        case gtudp::Outcome::gave_up_attempts: return "gave up: no answer";
        case gtudp::Outcome::gave_up_deadline: return "gave up: not confirmed in time";
        case gtudp::Outcome::cancelled: return "cancelled";
    }
    return "";
}

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
    command->add_option("--to", options->to, "gtUDP peer, such as `ringpost recv`: a name, IPv4 or [IPv6] address")
        ->type_name("HOST:PORT")
        ->required();
    command->add_option("TEXT", options->text, "text to send; - sends the lines of standard input (default -)");
    add_parsed(*command, "--timeout", options->timeout, parse_duration,
               "give up on a message after this time (default after --sends and --patience)");
    add_transport(*command, options->transport, {.gtudp_only = true});
    add_common(*command, options->common, {});
    end_help(*command, {.notes = {},
                        .examples = {"ringpost send --to 127.0.0.1:7000 \"one line\" --timeout 2s",
                                     "dmesg | ringpost send --to 127.0.0.1:7000"},
                        .exits = {Exit::failed, Exit::unreachable}});
    command->callback([options, command, &chosen] {
        check_transport(*command, options->transport);
        chosen = [options] { return send_command(*options); };
    });
}

}  // namespace ringpost::apps
