// ringpost beacon: sends a quote to its targets every period and prints the quotes it receives.

#include <fmt/core.h>

#include <cstring>
#include <optional>

#include "apps/cli/help.hpp"
#include "apps/cli/random.hpp"
#include "apps/cli/run_on_loop.hpp"
#include "apps/cli/sandbox.hpp"
#include "apps/cli/server_end.hpp"
#include "apps/commands/commands.hpp"
#include "codec/base/utf8.hpp"
#include "codec/beacon/endpoint.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

struct BeaconOptions {
    CommonOptions common;
    std::optional<std::uint16_t> port;  ///< nothing: send only
    std::string bind;
    std::vector<std::string> to;
    Duration every = 2 * second;
    std::string quote{beacon::default_quote};
    std::string advertise;
    std::uint64_t count = UINT64_MAX;
    Duration duration = never;
};

const char* reason(beacon::FrameError error) {
    switch (error) {
        case beacon::FrameError::too_short: return "too short";
        case beacon::FrameError::checksum: return "bad checksum";
        case beacon::FrameError::not_utf8: return "not UTF-8";
    }
    return "";
}

template <class AnyLoop>
class BeaconApplication {
  public:
    BeaconApplication(AnyLoop& loop, beacon::Endpoint& endpoint, const BeaconOptions& options, Instant start,
                      const Report& report)
        : loop_(loop),
          endpoint_(endpoint),
          report_(report),
          listens_(options.port && options.count == UINT64_MAX),
          stop_at_(options.duration == never ? never : start + options.duration) {}

    void on_event(Instant, const beacon::Event& event) {
        const std::string source = ip_text(event.source);
        if (event.error) {
            report_.note(
                fmt::format("not a beacon ({}) from {}, datagram {}", reason(*event.error), source, event.count));
            report_.event("rejected", {{"reason", reason(*event.error)}, {"source", source}, {"count", event.count}});
            return;
        }
        const std::string elapsed = event.elapsed_s ? fmt::format("{} s ago (whole seconds)", *event.elapsed_s)
                                                    : std::string("at an implausible time");
        report_.print(
            fmt::format("{}  sent {}, from {}, datagram {}", printable(event.quote), elapsed, source, event.count));
        report_.event("beacon", {{"quote", event.quote},
                                 {"elapsed_s", event.elapsed_s ? Json(*event.elapsed_s) : Json()},
                                 {"source", source},
                                 {"count", event.count},
                                 {"listening", to_text(Address::v4(event.ipv4[0], event.ipv4[1], event.ipv4[2],
                                                                   event.ipv4[3], event.port))}});
    }

    Instant on_turn(Instant at) {
        endpoint_.set_unix_offset(unix_offset());
        const bool sent_all = !listens_ && endpoint_.finished();
        if (received_signal() != 0 || at >= stop_at_ || sent_all) loop_.stop();
        return stop_at_;
    }

  private:
    AnyLoop& loop_;
    beacon::Endpoint& endpoint_;
    const Report& report_;
    bool listens_;
    Instant stop_at_;
};

std::array<std::uint8_t, 4> ipv4_of(const Address& address) {
    if (address.family != Family::v4) return {};
    return {address.ip[12], address.ip[13], address.ip[14], address.ip[15]};
}

/// The listening address to advertise to a target: --advertise, the bound address, or the source address toward the
/// target.
std::array<std::uint8_t, 4> advertised_address(const Address& target, const Address& bound,
                                               const BeaconOptions& options) {
    if (!options.advertise.empty()) {
        const Address address = host_address("--advertise", options.advertise);
        if (address.family != Family::v4)
            throw Failure(Exit::usage, fmt::format("--advertise {}: must be an IPv4 address", options.advertise));
        return ipv4_of(address);
    }
    const bool wildcard = bound.ip == Address{}.ip || bound == Address::v4(0, 0, 0, 0, bound.port);
    if (!wildcard) return ipv4_of(bound);
    const auto source = source_address_toward(target);
    return source ? ipv4_of(*source) : std::array<std::uint8_t, 4>{};
}

int beacon_command(const BeaconOptions& options) {
    const Report report(options.common.form);
    if (!is_utf8(options.quote) || options.quote.size() > beacon::quote_bytes_max)
        throw Failure(Exit::usage, fmt::format("--quote: must be UTF-8 of at most {} bytes", beacon::quote_bytes_max));
    ServerOptions server;
    server.common = options.common;
    server.bind = options.bind;
    server.broadcast = true;
    server.port = options.port.value_or(0);
    UdpSocket socket = open_server_socket(server);
    beacon::Options settings;
    settings.quote = options.quote;
    settings.period = options.every;
    settings.rounds = options.count;
    settings.unix_offset = unix_offset();
    settings.key = random_key();
    for (const std::string& text : options.to) {
        const Address target = target_address(text);
        check_address_family(socket.local(), options.bind, target);
        check_not_itself(socket.local(), text, target, "the beacon");
        settings.targets.push_back({target, advertised_address(target, socket.local(), options)});
    }
    settings.advertised_port = options.port ? socket.local().port : 0;
    Sandbox sandbox(options.common, report);
    sandbox.deny_files();
    const auto serve = [&](auto& loop) {
        const SignalWakes wakes(loop.backend().waker());
        sandbox.deny_calls();
        if (options.port) {
            report.note("beacon listening on " + listening_text(socket.local()));
            report.event("listening", listening_json(socket.local()));
        }
        loop.backend().add(std::move(socket));
        settings.start = now();
        beacon::Endpoint endpoint(settings);
        BeaconApplication application(loop, endpoint, options, settings.start, report);
        loop.run(endpoint, application);
        const beacon::Counters counts = endpoint.counters();
        const EngineCounters engine = loop.backend().counters();
        const double duration_s = seconds(now() - settings.start);
        Json summary = {{"sent", engine.sent},
                        {"received", counts.received},
                        {"too_short", counts.too_short},
                        {"checksum", counts.checksum},
                        {"not_utf8", counts.not_utf8},
                        {"events_dropped", counts.events_dropped},
                        {"sources_forgotten", counts.sources_forgotten},
                        {"socket_dropped", engine.socket_dropped},
                        {"duration_s", duration_s},
                        {"backend", loop.backend().name}};
        add_counters(summary, "beacon", counts);
        add_counters(summary, engine);
        report.event("summary", summary);
        report.note(fmt::format("sent {}  received {}  rejected {}", engine.sent, counts.received,
                                counts.too_short + counts.checksum + counts.not_utf8));
        if (engine.send_failed == 0 || engine.send_failed != counts.sent) return Exit::done;
        report.note(fmt::format("nothing could be sent: {}", std::strerror(engine.last_send_errno)));
        return Exit::unreachable;
    };
    return server_exit_code(run_on_loop(options.common, report, serve));
}

std::optional<std::uint16_t> parse_listening_port(const std::string& text) { return parse_port(text); }

/// A short period would make this a load generator without the safeguards of `load`.
Duration parse_period(const std::string& text) {
    const Duration period = parse_duration(text);
    if (period < 10 * millisecond) throw std::invalid_argument("the period must be at least 10ms");
    return period;
}

}  // namespace

void add_beacon(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("beacon", "send a quote every period, print received quotes");
    auto options = std::make_shared<BeaconOptions>();
    begin_group(*command, "Listening");
    add_parsed(*command, "--port", options->port, parse_listening_port,
               "UDP port to listen on (default none, send only)")
        ->type_name("PORT");
    command->add_option("--bind", options->bind, "local address to use (default all)")->type_name("ADDRESS");
    begin_group(*command, "Target");
    command->add_option("--to", options->to, "target, a name, IPv4 or [IPv6] address; repeatable (default none)")
        ->type_name("HOST:PORT")
        ->expected(1)
        ->take_all();
    begin_group(*command, "Schedule");
    add_parsed(*command, "--every", options->every, parse_period,
               "interval between beacons, at least 10ms (default 2s)");
    begin_group(*command, "Payload");
    command->add_option("--quote", options->quote, "text to send (default a quote by Nelson Mandela)")
        ->type_name("TEXT");
    command
        ->add_option("--advertise", options->advertise,
                     "listening address to announce, IPv4 (default as seen by the target)")
        ->type_name("ADDRESS");
    begin_group(*command, "Schedule");
    add_parsed(*command, "--count", options->count, parse_count,
               "exit after this number of beacons per target (default unlimited)");
    add_parsed(*command, "--duration", options->duration, parse_duration, "exit after this time (default unlimited)");
    add_common(*command, options->common, {});
    add_sandbox(*command, options->common);
    end_help(*command, {.notes = {},
                        .examples = {"ringpost beacon --port 5005 --to 127.0.0.1:5006 --quote \"still here\""},
                        .exits = {Exit::failed, Exit::unreachable},
                        .server = true});
    command->callback([options, &chosen] {
        if (!options->port && options->to.empty())
            throw CLI::ValidationError("at least one of --port (to listen) and --to (to send) is required");
        if (options->to.empty() && options->count != UINT64_MAX) throw CLI::ValidationError("--count: requires --to");
        if (options->to.size() > limits::beacon_targets_max)
            throw CLI::ValidationError(fmt::format("--to: at most {} targets", limits::beacon_targets_max));
        chosen = [options] { return beacon_command(*options); };
    });
}

}  // namespace ringpost::apps
