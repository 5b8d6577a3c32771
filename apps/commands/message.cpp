// ringpost message: confirmed messages. `send` sends one message or lines of standard input, `listen` prints received
// messages, and `chat` does both with lines of text. All three are one conversation: they differ in the source of their
// lines and in when they end.

#include <fmt/core.h>

#include <cstring>
#include <memory>
#include <optional>
#include <ringpost/confirmed.hpp>
#include <string>
#include <utility>

#include "apps/cli/help.hpp"
#include "apps/cli/lines.hpp"
#include "apps/cli/sandbox.hpp"
#include "apps/cli/server_end.hpp"
#include "apps/commands/commands.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {
namespace {

enum class Role : std::uint8_t { send, listen, chat };

struct MessageOptions {
    Role role = Role::listen;
    ServerOptions server;
    ServerEnd end;  // listen only
    std::string to;
    std::string text = "-";  // send only; -: lines of standard input
    confirmed::SendOptions how;
    confirmed::Reply reply = confirmed::Reply::to_port;
    bool confirm_from_any = false;

    bool sends_lines() const { return role == Role::send && text == "-"; }
};

const char* name_of(confirmed::Outcome outcome) {
    switch (outcome) {
        case confirmed::Outcome::confirmed: return "confirmed";
        case confirmed::Outcome::failed: return "failed";
        case confirmed::Outcome::timed_out: return "timed out";
        case confirmed::Outcome::reported: return "reported";
    }
    return "";
}

Json json_of(confirmed::Status status) {
    return status == confirmed::Status::none ? Json() : Json(status == confirmed::Status::ok);
}

class Conversation {
  public:
    Conversation(confirmed::Messenger& messenger, const MessageOptions& options, const Report& report)
        : messenger_(messenger), options_(options), report_(report), deadline_(options.end.deadline(now())) {
        if (options.role == Role::chat || options.sends_lines()) return;
        lines_.end();
        if (options.role == Role::send) waiting_ = options.text;
    }

    /// Until a signal, the end of a server, the kernel's refusal of the only message, its unreachable target, or the
    /// outcome of the last line.
    void run() {
        const confirmed::Messenger::Handler handler = [this](const confirmed::Event& event) { on_event(event); };
        while (received_signal() == 0 && printed_ < options_.end.count && !send_failed() && !unreachable()) {
            // A line is queued only after the outcome of the one before it, so that its timeout starts when it is sent.
            if (!waiting_) waiting_ = lines_.next();
            while (waiting_ && messenger_.in_flight() == 0 && send(*waiting_)) waiting_ = lines_.next();
            const bool done = !waiting_ && lines_.ended();
            if (done && messenger_.in_flight() == 0 && options_.role != Role::listen) return;
            const bool may_wait = done && options_.role != Role::send;
            const Duration left = deadline_ == never ? never : deadline_ - now();
            if (left <= 0) break;
            messenger_.poll(may_wait ? left : Lines::poll_interval, handler);
        }
        messenger_.poll(0, handler);  // the last confirmation leaves
    }

    std::uint64_t printed() const { return printed_; }

    std::uint64_t failed() const { return failed_; }

    /// True if the kernel refused what `send` sent, and nothing came from the target.
    bool send_failed() const {
        const confirmed::Counters& counts = messenger_.counters();
        if (options_.role != Role::send || counts.confirmed + counts.failed + counts.replies_sent > 0) return false;
        return messenger_.engine_counters().send_failed > 0;
    }

    /// True if the kernel reported the target of `send` as unreachable, and nothing came from it.
    bool unreachable() const {
        const EngineCounters counts = messenger_.engine_counters();
        return options_.role == Role::send && counts.unreachable > 0 && counts.received == 0;
    }

  private:
    void on_event(const confirmed::Event& event) {
        const std::string peer = to_text(event.peer);
        switch (event.kind) {
            case confirmed::Event::Kind::outcome: return on_outcome(event, peer);
            case confirmed::Event::Kind::target:
                report_.note(fmt::format("the target is now {}", peer));
                return report_.event("target", {{"target", peer}});
            case confirmed::Event::Kind::message: break;
        }
        ++printed_;
        report_.print(fmt::format("{}{}  {}", peer,
                                  event.status == confirmed::Status::failed ? " reports a failure" : "",
                                  printable(event.message.text())));
        report_.event("message", {{"message", nullptr}, {"status", json_of(event.status)}, {"source", peer}}, "message",
                      event.message.json());
    }

    void on_outcome(const confirmed::Event& event, const std::string& peer) {
        const bool answered =
            event.outcome == confirmed::Outcome::confirmed || event.outcome == confirmed::Outcome::failed;
        report_.event("outcome", {{"outcome", name_of(event.outcome)}, {"message", nullptr}, {"peer", peer}}, "message",
                      answered ? event.message.json() : "null");
        const std::string answer = printable(event.message.text());
        if (event.outcome == confirmed::Outcome::reported) return;  // printed by message_command()
        if (event.outcome == confirmed::Outcome::confirmed) {
            if (options_.role == Role::send) report_.print(answer);
            return;
        }
        ++failed_;
        report_.note(fmt::format("{}: {}{}{}", peer, name_of(event.outcome), answered ? ": " : "", answer));
    }

    /// Queues a line, or notes why it cannot be sent; false while there is no target.
    bool send(const std::string& line) {
        const auto sent = messenger_.send(line, options_.how);
        if (sent) return true;
        if (sent.error().reason == confirmed::Refusal::no_target) {
            if (!std::exchange(no_target_noted_, true)) report_.note("no target yet: waiting for `initialize`");
            return false;
        }
        ++failed_;
        const bool too_large = sent.error().reason == confirmed::Refusal::too_large;
        report_.event("refused", {{"reason", too_large ? "too large" : "not UTF-8"}, {"bytes", sent.error().bytes}});
        report_.note(too_large ? fmt::format("a message of {} bytes is too large: the maximum is {}",
                                             sent.error().bytes, limits::confirmed_bytes_max)
                               : std::string("a message must be UTF-8"));
        return true;
    }

    confirmed::Messenger& messenger_;
    const MessageOptions& options_;
    const Report& report_;
    Instant deadline_;
    Lines lines_;
    std::optional<std::string> waiting_;  ///< the next line to send
    std::uint64_t printed_ = 0, failed_ = 0;
    bool no_target_noted_ = false;
};

Json summary_of(const confirmed::Counters& counts) {
    Json summary = {{"taken", counts.taken},
                    {"confirmed", counts.confirmed},
                    {"failed", counts.failed},
                    {"timed_out", counts.timed_out},
                    {"reported", counts.reported},
                    {"too_large", counts.refused_too_large},
                    {"received", counts.received},
                    {"delivered", counts.delivered},
                    {"initialized", counts.initialized},
                    {"answers_late", counts.answers_late},
                    {"answers_stray", counts.answers_stray},
                    {"app_behind", counts.app_behind},
                    {"replies_full", counts.replies_full},
                    {"failures_lost", counts.failures_lost}};
    add_counters(summary, "confirmed", counts);
    summary["malformed"] = Json::object();
    for (std::size_t i = 0; i < counts.malformed.size(); ++i) {
        const char* const name = confirmed::name_of(static_cast<confirmed::FrameError>(i));
        if (counts.malformed[i] > 0) summary["malformed"][name] = counts.malformed[i];
        summary["counters"]["confirmed"]["malformed"][name] = counts.malformed[i];
    }
    return summary;
}

int message_command(const MessageOptions& options) {
    const Report report(options.server.common.form);
    confirmed::OpenOptions wanted{.bind = bind_address(options.server.bind, options.server.port),
                                  .engine = options.server.common.engine};
    wanted.protocol.reply = options.reply;
    wanted.protocol.confirm_from_any = options.confirm_from_any;
    wanted.reports_errors = options.role == Role::send;
    if (!options.to.empty()) {
        wanted.protocol.target = target_address(options.to, confirmed::default_port);
        if (options.role == Role::send) check_route("--to", wanted.protocol.target);
        wanted.protocol.peer_port = wanted.protocol.target.port;
        check_address_family(wanted.bind, options.server.bind, wanted.protocol.target);
    }
    auto opened = confirmed::Messenger::open(wanted);
    if (!opened) fail_to_open(options.server, opened.error());
    confirmed::Messenger& messenger = *opened;
    if (!options.to.empty())
        check_not_itself(messenger.local(), options.to, wanted.protocol.target, "ringpost message");
    const SignalWakes wakes(messenger);
    if (!messenger.note().empty()) report.note(messenger.note());
    Sandbox sandbox(options.server.common, report);
    sandbox.deny_files();
    sandbox.deny_calls();
    if (options.role != Role::send) report.note("message listening on " + listening_text(messenger.local()));
    report.event("listening", listening_json(messenger.local()));
    Conversation conversation(messenger, options, report);
    conversation.run();
    Json summary = summary_of(messenger.counters());
    summary["backend"] = messenger.backend();
    const EngineCounters counters = messenger.engine_counters();
    add_counters(summary, counters);
    report.event("summary", summary);
    if (conversation.send_failed())
        throw Failure(exit_code(Exit::unreachable),
                      fmt::format("--to {}: {}", options.to, std::strerror(counters.last_send_errno)));
    if (conversation.unreachable()) {
        report.note(fmt::format("{}: unreachable", to_text(wanted.protocol.target)));
        return exit_code(Exit::unreachable);
    }
    if (options.role == Role::send && messenger.counters().reported > 0) report.print("sent");
    if (options.role == Role::listen) return server_exit_code(report, options.end, conversation.printed());
    return exit_code(conversation.failed() == 0 ? Exit::done : Exit::failed);
}

confirmed::Status parse_status(const std::string& text) {
    if (text == "none") return confirmed::Status::none;
    if (text == "ok") return confirmed::Status::ok;
    if (text == "fail") return confirmed::Status::failed;
    throw std::invalid_argument("one of none, ok, fail");
}

confirmed::Reply parse_reply(const std::string& text) {
    if (text == "port") return confirmed::Reply::to_port;
    if (text == "source") return confirmed::Reply::to_source;
    throw std::invalid_argument("one of port, source");
}

bool parse_from_any(const std::string& text) {
    if (text == "peer" || text == "any") return text == "any";
    throw std::invalid_argument("one of peer, any");
}

void add_role(CLI::App& message, Command& chosen, const char* name, const char* help, Role role, const char* example) {
    CLI::App* command = message.add_subcommand(name, help);
    auto options = std::make_shared<MessageOptions>();
    options->role = role;
    options->server.port = confirmed::default_port;
    begin_group(*command, "Addresses");
    CLI::Option* to =
        command->add_option("--to", options->to, "peer, a name, IPv4 or [IPv6] address (default port 5005)")
            ->type_name("HOST[:PORT]");
    add_parsed(*command, "--port", options->server.port, parse_port, "UDP port to listen on (default 5005)");
    command->add_option("--bind", options->server.bind, "local address to use (default all)")->type_name("ADDRESS");
    add_parsed(
        *command, "--reply", options->reply, parse_reply,
        "where confirmations are sent: the port of --to (5005 without), or the source of each message (default port)")
        ->type_name("port|source");
    if (role == Role::send) {
        to->required();
        command->add_option(
            "TEXT", options->text,
            "message to send; - sends the lines of standard input, each after the outcome of the one before "
            "(default -)");
        begin_group(*command, "Message");
        add_parsed(*command, "--status", options->how.status, parse_status,
                   "none requests a confirmation; ok and fail send a report, which is not confirmed (default none)")
            ->type_name("none|ok|fail");
        add_parsed(*command, "--timeout", options->how.timeout, parse_duration,
                   "time to wait for the confirmation (default 10s)");
        add_parsed(*command, "--confirm-from", options->confirm_from_any, parse_from_any,
                   "address that may confirm: that of --to, or any, as an old peer on this host needs (default peer)")
            ->type_name("peer|any");
    }
    if (role == Role::listen) add_server_end(*command, options->end, "messages");
    add_common(*command, options->server.common, {});
    if (role != Role::send) add_sandbox(*command, options->server.common);
    end_help(*command, {.notes = {},
                        .examples = {example},
                        .exits = {Exit::failed, Exit::unreachable},
                        .server = role == Role::listen});
    command->callback([options, &chosen] { chosen = [options] { return message_command(*options); }; });
}

}  // namespace

void add_message(CLI::App& root, Command& chosen) {
    CLI::App* message = root.add_subcommand("message", "exchange messages that the receiver confirms");
    message->require_subcommand(1);
    add_role(*message, chosen, "send", "send a message, or lines of standard input (exit 0 only if all are confirmed)",
             Role::send, "ringpost message send --bind 127.0.0.1 --to 127.0.0.2 \"Hello World\"");
    add_role(*message, chosen, "listen", "confirm and print every message", Role::listen,
             "ringpost message listen --bind 127.0.0.2");
    add_role(*message, chosen, "chat", "send lines of standard input, print received messages", Role::chat,
             "ringpost message chat --bind 127.0.0.1 --to 127.0.0.2");
    end_help(*message, {.notes = {},
                        .examples = {"ringpost message send --bind 127.0.0.1 --to 127.0.0.2 \"Hello World\""},
                        .exits = {Exit::failed, Exit::unreachable}});
}

}  // namespace ringpost::apps
