// ringpost message: confirmed messages. `send` sends one message, `listen` prints received messages, and `chat` does
// both with lines of text. All three are one application: they differ in the source of their lines and in when they
// end.

#include <fmt/core.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "apps/cli/lines.hpp"
#include "apps/cli/random.hpp"
#include "apps/cli/run_on_loop.hpp"
#include "apps/commands/commands.hpp"
#include "codec/confirmed/endpoint.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

enum class Role : std::uint8_t { send, listen, chat };

struct MessageOptions {
    Role role = Role::listen;
    ServerOptions server;
    std::string to;
    std::string text;  ///< send only
    confirmed::How how;
    confirmed::Reply reply = confirmed::Reply::to_port;
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

Json json_of(const confirmed::Value& value) { return Json::parse(value.json()); }
Json json_of(confirmed::Status status) {
    return status == confirmed::Status::none ? Json() : Json(status == confirmed::Status::ok);
}

template <class AnyLoop>
class MessageApplication {
  public:
    MessageApplication(AnyLoop& loop, confirmed::Endpoint& endpoint, const MessageOptions& options,
                       const Report& report)
        : loop_(loop), endpoint_(endpoint), options_(options), report_(report) {
        if (options.role != Role::chat) lines_.end();
        if (options.role == Role::send) waiting_ = options.text;
    }

    void on_event(Instant, const confirmed::Event& event) {
        const std::string peer = to_text(event.peer);
        switch (event.kind) {
            case confirmed::Event::Kind::outcome: return on_outcome(event, peer);
            case confirmed::Event::Kind::target:
                report_.note(fmt::format("the target is now {}", peer));
                return report_.event("target", {{"target", peer}});
            case confirmed::Event::Kind::message: break;
        }
        report_.print(fmt::format("{}{}  {}", peer,
                                  event.status == confirmed::Status::failed ? " reports a failure" : "",
                                  printable(event.message.text())));
        report_.event("message",
                      {{"message", json_of(event.message)}, {"status", json_of(event.status)}, {"source", peer}});
    }

    Instant on_turn(Instant at) {
        if (received_signal() != 0 || send_failed()) {
            loop_.stop();
            return at;
        }
        // A line is queued only after the outcome of the one before it, so that its timeout starts when it is sent.
        if (!waiting_) waiting_ = lines_.next();
        while (waiting_ && endpoint_.in_flight() == 0 && send(at, *waiting_)) waiting_ = lines_.next();
        const bool done = !waiting_ && lines_.ended();
        if (done && endpoint_.in_flight() == 0 && options_.role != Role::listen) loop_.stop();
        return done ? never : at + Lines::poll_interval;
    }

    std::uint64_t failed() const { return failed_; }

    /// True if the kernel refused the only message of `send`.
    bool send_failed() {
        const confirmed::Counters& counts = endpoint_.counters();
        if (options_.role != Role::send || counts.confirmed + counts.failed + counts.replies_sent > 0) return false;
        return loop_.backend().counters().send_failed > 0;
    }

  private:
    void on_outcome(const confirmed::Event& event, const std::string& peer) {
        const bool answered =
            event.outcome == confirmed::Outcome::confirmed || event.outcome == confirmed::Outcome::failed;
        report_.event("outcome", {{"outcome", name_of(event.outcome)},
                                  {"message", answered ? json_of(event.message) : Json()},
                                  {"peer", peer}});
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
    bool send(Instant at, const std::string& line) {
        const auto sent = endpoint_.send(at, line, options_.how);
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

    AnyLoop& loop_;
    confirmed::Endpoint& endpoint_;
    const MessageOptions& options_;
    const Report& report_;
    Lines lines_;
    std::optional<std::string> waiting_;  ///< the next line to send
    std::uint64_t failed_ = 0;
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
    Json malformed = Json::object();
    for (std::size_t i = 0; i < counts.malformed.size(); ++i)
        if (counts.malformed[i] > 0)
            malformed[confirmed::name_of(static_cast<confirmed::FrameError>(i))] = counts.malformed[i];
    summary["malformed"] = malformed;
    return summary;
}

int message_command(const MessageOptions& options) {
    const Report report(options.server.common.form);
    confirmed::Options settings{.reply = options.reply, .key = random_key()};
    if (!options.to.empty()) {
        settings.target = target_address(options.to, confirmed::default_port);
        settings.peer_port = settings.target.port;
    }
    UdpSocket socket = open_server_socket(options.server);
    if (!options.to.empty()) check_address_family(socket, options.server.bind, settings.target);
    const auto run = [&](auto& loop) {
        const SignalWakes wakes(loop.backend().waker());
        if (options.role != Role::send) report.note(fmt::format("message listening on port {}", socket.local().port));
        report.event("listening", {{"port", socket.local().port}});
        loop.backend().add(std::move(socket));
        settings.start = now();
        confirmed::Endpoint endpoint(settings);
        MessageApplication application(loop, endpoint, options, report);
        loop.run(endpoint, application);
        Json summary = summary_of(endpoint.counters());
        summary["backend"] = loop.backend().name;
        const EngineCounters engine = loop.backend().counters();
        add_counters(summary, engine);
        report.event("summary", summary);
        if (application.send_failed())
            throw Failure(exit_code(Exit::unreachable),
                          fmt::format("--to {}: {}", options.to, std::strerror(engine.last_send_errno)));
        if (options.role == Role::send && endpoint.counters().reported > 0) report.print("sent");
        return application.failed() == 0 ? Exit::done : Exit::failed;
    };
    return exit_code(run_on_loop(options.server.common, report, run));
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

void add_role(CLI::App& message, Command& chosen, const char* name, const char* help, Role role) {
    CLI::App* command = message.add_subcommand(name, help);
    auto options = std::make_shared<MessageOptions>();
    options->role = role;
    options->server.port = confirmed::default_port;
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
        command->add_option("text", options->text, "message to send")->type_name("")->required();
        add_parsed(*command, "--status", options->how.status, parse_status,
                   "none requests a confirmation; ok and fail send a report, which is not confirmed (default none)")
            ->type_name("none|ok|fail");
        add_parsed(*command, "--timeout", options->how.timeout, parse_duration,
                   "time to wait for the confirmation (default 10s)");
    }
    add_common(*command, options->server.common, {});
    command->callback([options, &chosen] { chosen = [options] { return message_command(*options); }; });
}

}  // namespace

void add_message(CLI::App& root, Command& chosen) {
    CLI::App* message = root.add_subcommand("message", "exchange messages that the receiver confirms");
    message->require_subcommand(1);
    add_role(*message, chosen, "send", "send one message (exit 0 only if it is confirmed)", Role::send);
    add_role(*message, chosen, "listen", "confirm and print every message", Role::listen);
    add_role(*message, chosen, "chat", "send lines of standard input, print received messages", Role::chat);
}

}  // namespace ringpost::apps
