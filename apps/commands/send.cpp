// ringpost send: sends lines of text over gtUDP, each confirmed by the peer.

#include <fmt/core.h>

#include <cstring>
#include <string>

#include "apps/cli/lines.hpp"
#include "apps/cli/run_on_loop.hpp"
#include "apps/commands/commands.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

struct SendOptions {
    CommonOptions common;
    TransportOptions transport;
    std::string to;
    std::string text = "-";
    Duration timeout = 0;  ///< 0: give up after --sends transmissions
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

template <class AnyLoop>
class SendApplication {
  public:
    SendApplication(AnyLoop& loop, gtudp::Endpoint& wire, const SendOptions& options, const Address& target,
                    Report& report)
        : loop_(loop), wire_(wire), options_(options), target_(target), report_(report) {
        if (options.text == "-") return;
        waiting_ = options.text;
        lines_.end();
    }

    void on_event(Instant, const gtudp::Event& event) {
        if (event.kind != gtudp::Event::Kind::outcome) return;
        const bool confirmed = event.outcome == gtudp::Outcome::confirmed;
        if (!confirmed) {
            ++failed_;
            report_.note(fmt::format("{}: {}", to_text(target_), name_of(event.outcome)));
        }
        report_.event("outcome", {{"outcome", name_of(event.outcome)}, {"sends", event.sends}});
    }

    Instant on_turn(Instant at) {
        if (received_signal() != 0) {
            loop_.stop();
            return at;
        }
        if (!waiting_) waiting_ = lines_.next();
        while (waiting_ && send(at, *waiting_)) waiting_ = lines_.next();
        const bool done = !waiting_ && lines_.ended();
        if (done && wire_.in_flight() == 0) loop_.stop();
        return done ? never : at + Lines::poll_interval;
    }

    std::uint64_t failed() const { return failed_; }

  private:
    /// Queues a line; false if it must wait for room.
    bool send(Instant at, const std::string& line) {
        const Instant deadline = options_.timeout > 0 ? at + options_.timeout : never;
        const auto sent = wire_.send(at, target_, std::as_bytes(std::span(line)), deadline);
        if (sent) return true;
        if (sent.error() != gtudp::Refusal::too_large) return false;
        ++failed_;
        report_.note(fmt::format("a line of {} bytes is too large: the maximum is {}", line.size(),
                                 options_.transport.codec.data_bytes_max()));
        return true;
    }

    AnyLoop& loop_;
    gtudp::Endpoint& wire_;
    const SendOptions& options_;
    Address target_;
    Report& report_;
    Lines lines_;
    std::optional<std::string> waiting_;  ///< the next line to send
    std::uint64_t failed_ = 0;
};

int send_command(const SendOptions& options) {
    Report report(options.common.form);
    const Address target = target_address(options.to);
    const auto run = [&](auto& loop) {
        const SignalWakes wakes(loop.backend().waker());
        SocketOptions socket;
        socket.bind = any_address(0);  // unconnected: a peer that starts late is not an error
        loop.backend().add(value_or_fail(UdpSocket::open(socket)));
        gtudp::Endpoint wire(wire_options(options.transport));
        SendApplication application(loop, wire, options, target, report);
        loop.run(wire, application);
        const gtudp::Counters counts = wire.counters();
        const EngineCounters engine = loop.backend().counters();
        Json summary = {{"sent", counts.taken}, {"failed", application.failed()}, {"backend", loop.backend().name}};
        add_wire(summary, counts);
        add_counters(summary, engine);
        report.event("summary", summary);
        if (counts.confirmed == 0 && engine.send_failed > 0)
            throw Failure(exit_code(Exit::unreachable),
                          fmt::format("--to {}: {}", options.to, std::strerror(engine.last_send_errno)));
        return application.failed() == 0 && counts.confirmed == counts.taken ? Exit::done : Exit::failed;
    };
    return exit_code(run_on_loop(options.common, report, run));
}

}  // namespace

void add_send(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("send", "send lines of text, each confirmed (exit 0 only if all are)");
    auto options = std::make_shared<SendOptions>();
    command->add_option("--to", options->to, "gtUDP peer, such as `ringpost recv`: a name, IPv4 or [IPv6] address")
        ->type_name("HOST:PORT")
        ->required();
    command->add_option("text", options->text, "text to send; - sends the lines of standard input (default -)")
        ->type_name("");
    add_parsed(*command, "--timeout", options->timeout, parse_duration,
               "give up on a message after this time (default after --sends transmissions)");
    add_transport(*command, options->transport, {.gtudp_only = true});
    add_common(*command, options->common, {});
    command->callback([options, command, &chosen] {
        check_transport(*command, options->transport);
        chosen = [options] { return send_command(*options); };
    });
}

}  // namespace ringpost::apps
