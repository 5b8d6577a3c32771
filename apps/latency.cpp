// ringpost latency: round trips against `echo`, or anything that returns a datagram unchanged, or by foreign probes
// (probe_options) against any server.

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "apps/arrivals.hpp"
#include "apps/commands.hpp"
#include "apps/probe_options.hpp"
#include "apps/random.hpp"
#include "apps/run_directory.hpp"
#include "apps/self_peer.hpp"
#include "apps/trials.hpp"
#include "apps/verdict.hpp"
#include "codec/load/prober.hpp"
#include "engine/address.hpp"

namespace ringpost::apps {
namespace {

struct LatencyOptions {
    CommonOptions common;
    TransportOptions transport;
    ProbeOptions probes;
    std::string to;
    bool self = false;
    std::uint64_t size = 64;
    double rate = 0;  // 0: closed loop
    ArrivalOptions arrivals;
    bool ping_pong = false;    // said explicitly; it is the default
    std::uint32_t window = 0;  // 0: not asked for
    Duration warm_up = 0;
    VerdictOptions verdict;
    std::uint64_t count = UINT64_MAX;
    Duration duration = never;
    bool vouched = false;
    RunOptions run;
    TrialOptions trials;
};

constexpr Duration default_duration = 5 * second;
/// Where neither a rate nor a closed loop is asked for: such as every server can answer.
constexpr double default_rate = 10'000;
/// Of one trial of many.
constexpr Duration default_trial = second;
/// How long the last answers are waited for.
constexpr Duration answers_linger = second;

template <class AnyLoop>
class LatencyApplication {
  public:
    /// finished(Instant): there is nothing more to wait for.
    LatencyApplication(AnyLoop& loop, const load::Prober& prober, std::function<bool(Instant)> finished, Instant start,
                       Report& report, RunDirectory& run)
        : loop_(loop),
          prober_(prober),
          finished_(std::move(finished)),
          report_(report),
          run_(run),
          start_(start),
          look_(start, look_every),
          ticker_(start, second) {}

    void on_event(Instant, const load::Prober::Event&) {}

    Instant on_turn(Instant at) {
        if (received_signal() != 0 || finished_(at)) loop_.stop();
        const load::ProberCounts& counts = prober_.counts();
        if (look_.tick(at) && counts.received == 0 && loop_.backend().counters().unreachable > 0) loop_.stop();
        if (ticker_.tick(at)) {
            run_.tick(at - start_);
            report_.progress(fmt::format("{:>4.0f} s  sent {}  answered {}  {}", seconds(at - start_),
                                         grouped(counts.sent), grouped(counts.received),
                                         percentiles_text(prober_.response())));
            report_.event("progress",
                          {{"elapsed_s", seconds(at - start_)}, {"sent", counts.sent}, {"received", counts.received}});
        }
        return std::min(look_.next(), ticker_.next());
    }

  private:
    AnyLoop& loop_;
    const load::Prober& prober_;
    std::function<bool(Instant)> finished_;
    Report& report_;
    RunDirectory& run_;
    Instant start_;
    Ticker look_, ticker_;
};

std::string loop_text(const LatencyOptions& options) {
    if (options.rate > 0) return arrivals_text(options.arrivals, options.rate);
    return options.window == 1 ? "ping-pong" : fmt::format("{} in flight", grouped(options.window));
}

/// The summary, and the exit code of its verdict.
template <class AnyLoop>
std::pair<Json, int> run_prober(AnyLoop& loop, const LatencyOptions& options, const Address& target, Report& report,
                                RunDirectory& run) {
    const SignalWakes wakes(loop.backend().waker());
    SocketOptions socket;
    socket.connect = target;
    socket.gro = false;
    loop.backend().add(value_or_fail(UdpSocket::open(socket)));
    const Instant start = now() + settle;
    load::Prober prober({.datagram_bytes = options.size,
                         .stream = random_value<std::uint32_t>(),
                         .rate_per_s = options.rate,
                         .arrivals = options.arrivals.arrivals,
                         .arrivals_seed = options.arrivals.seed,
                         .burst = options.arrivals.burst,
                         .profile = options.arrivals.profile_or_null(),
                         .window = options.window,
                         .start = start,
                         .warm_up = options.warm_up,
                         .stop = options.duration == never ? never : start + options.warm_up + options.duration,
                         .count = options.count,
                         .dialect = options.probes.dialect ? &*options.probes.dialect : nullptr,
                         .key = random_key()});
    std::optional<gtudp::Carried<load::Prober>> carried;
    const auto finished = [&](Instant at) {
        if (!prober.finished(at, answers_linger)) return false;
        return !carried || carried->wire().in_flight() == 0 || at >= prober.last_sent_at() + answers_linger;
    };
    std::vector<RunDirectory::Recording> recordings{{"response", prober.response()}};
    if (options.rate > 0) {
        recordings.push_back({"service", prober.service()});
        recordings.push_back({"slip", prober.slip()});
    }
    run.watch(recordings, [&] {
        const load::ProberCounts& counts = prober.counts();
        return RunDirectory::Counts{.sent = counts.sent,
                                    .received = counts.received,
                                    .socket_dropped = loop.backend().counters().socket_dropped,
                                    .lost = static_cast<std::int64_t>(counts.lost())};
    });
    LatencyApplication application(loop, prober, finished, start, report, run);
    if (options.transport.gtudp) {
        carried.emplace(prober, gtudp::CarriedOptions{
                                    .wire = wire_options(options.transport), .target = target, .train_segments = 1});
        loop.run(*carried, application);
    } else {
        loop.run(prober, application);
    }
    report.end_progress();
    const double duration_s = seconds(std::max<Duration>(prober.last_sent_at() - start - options.warm_up, 0));
    const load::ProberCounts& counts = prober.counts();
    const Counters engine = loop.backend().counters();
    Json summary = {{"sent", counts.sent},
                    {"received", counts.received},
                    {"lost", counts.lost()},
                    {"duplicate", counts.duplicate},
                    {"reordered", counts.reordered},
                    {"corrupt", counts.corrupt},
                    {"foreign", counts.foreign},
                    {"socket_dropped", engine.socket_dropped},
                    {"duration_s", duration_s},
                    {"rate_per_s", ratio(static_cast<double>(counts.sent), duration_s)},
                    {"backend", loop.backend().name},
                    {"gso", false},
                    {"gro", false},
                    {"rtt_us", percentiles_us(prober.response())}};
    if (options.rate > 0) {
        summary["rate_asked"] = options.rate;
        summary["service_us"] = percentiles_us(prober.service());
        summary["slip_us"] = percentiles_us(prober.slip());
        judge(summary, {.start = start,
                        .last_due = prober.last_due(),
                        .last_sent_at = prober.last_sent_at(),
                        .slip = &prober.slip(),
                        .response = &prober.response()});
    }
    add_arrivals(summary, options.arrivals);
    add_match(summary, prober);
    if (carried) {
        add_wire(summary, carried->wire().counts());
        summary["confirmed_us"] = percentiles_us(carried->confirmed());
    }
    add_counters(summary, engine);
    report.print(fmt::format("{}{}, {}, {}, {:.3f} s", size_text(options.probes, options.size),
                             carried ? ", gtudp" : "", loop.backend().name, loop_text(options), duration_s));
    report.print(fmt::format("sent {}  answered {}  lost {}  out of order {}  duplicate {}  corrupt {}",
                             grouped(counts.sent), grouped(counts.received), grouped(counts.lost()),
                             grouped(counts.reordered), grouped(counts.duplicate), grouped(counts.corrupt)));
    if (const auto text = match_text(prober)) report.print(*text);
    if (options.rate > 0) {
        report.print("response    " + percentiles_text(prober.response()));
        report.print("service     " + percentiles_text(prober.service()));
        report.print("slip        " + percentiles_text(prober.slip()));
    } else {
        report.print("round trip  " + percentiles_text(prober.response()));
    }
    if (carried) {
        report.print("confirmed   " + percentiles_text(carried->confirmed()));
        report.print(wire_text(summary));
    }
    const int verdict = tell_verdict(report, summary, options.verdict);
    report.event("summary", summary);
    run.close(prober.last_sent_at() - start, summary);
    return std::pair{std::move(summary), verdict};
}

/// --find-max, --sweep, --repeat: many runs, each told in a line.
int measure_again(LatencyOptions options, const Address& target, Report& report,
                  std::function<void(const std::string&)> say) {
    Report silent(Report::Form::silent);
    RunDirectory unkept({}, "latency", silent);
    return run_trials(report, options.trials, [&](std::optional<double> rate) {
        options.rate = rate.value_or(options.rate);
        const auto run = [&](auto& loop) { return run_prober(loop, options, target, silent, unkept).first; };
        Json summary = value_or_fail(with_loop(options.common.engine, say, run));
        say = [](const std::string&) {};  // which backend and why not another: once is enough
        return summary;
    });
}

int latency_command(LatencyOptions options) {
    Report report(options.common.json);
    RunDirectory run(options.run, "latency", report);
    std::optional<SelfPeer> echo;
    Address target;
    if (options.self) {
        echo.emplace([&](const SelfPeer::Tell& tell) {
            Report child(Report::Form::silent);
            ServerOptions server{.common = options.common, .transport = options.transport, .bind = "127.0.0.1"};
            server.common.gro = false;  // probes come one by one: a receive without control messages is cheaper
            run_echo(server, child, [&](std::uint16_t port) { tell(std::to_string(port)); });
            return Exit::done;
        });
        target = Address::v4(127, 0, 0, 1, static_cast<std::uint16_t>(std::stoul(echo->hear())));
    } else {
        target = target_address(options.to, options.probes.default_port);
        refuse_foreign(target, options.vouched);
    }
    const auto say = [&](const std::string& text) { report.say(text); };
    if (!options.probes.note.empty()) say(options.probes.note);
    if (options.trials.any()) return exit_code(measure_again(options, target, report, say));
    const auto [summary, verdict] = value_or_fail(with_loop(
        options.common.engine, say, [&](auto& loop) { return run_prober(loop, options, target, report, run); }));
    if (!summary["rtt_us"]["p50"].is_null()) return exit_code(verdict);
    if (received_signal() == 0)
        report.say(fmt::format("{}: {}", to_text(target),
                               summary["unreachable"].get<std::uint64_t>() > 0 ? "unreachable" : "no answer"));
    return exit_code(Exit::unreachable);
}

}  // namespace

void add_latency(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("latency", "measure round trips against an echo server, or any UDP server");
    auto options = std::make_shared<LatencyOptions>();
    auto* to = command->add_option(
        "--to", options->to, "HOST:PORT or [IPv6]:PORT of an echo server, or of what --payload or --preset is for");
    auto* self = command->add_flag("--self", options->self, "run the echo server too, on loopback and on another core");
    self->excludes(to);
    auto* size =
        add_parsed(*command, "--size", options->size, parse_probe_size, "bytes of payload, at least 24 (default 64)");
    add_probes(*command, options->probes, *size);
    auto* rate = add_parsed(*command, "--rate", options->rate, parse_fixed_rate,
                            "open loop: probes per second, each measured from when it was due (default 10k)");
    add_arrivals(*command, options->arrivals);
    auto* window = add_parsed(*command, "--window", options->window, parse_probe_window,
                              "closed loop: so many probes in flight, the next as soon as one is answered")
                       ->excludes(rate);
    command->add_flag("--ping-pong", options->ping_pong, "closed loop: one probe in flight")
        ->excludes(rate)
        ->excludes(window);
    add_parsed(*command, "--warmup", options->warm_up, parse_duration,
               "so long at the start is not counted (default none)");
    auto* duration = add_parsed(*command, "--duration", options->duration, parse_duration, "how long (default 5s)");
    add_parsed(*command, "--count", options->count, parse_count, "probes to send")->excludes(duration);
    command->add_flag("--i-own-this-network", options->vouched,
                      "allow a target that is not loopback, private or link-local");
    add_trials(*command, options->trials);
    add_verdict(*command, options->verdict);
    add_transport(*command, options->transport, {});
    add_common(*command, options->common, {});
    add_run(*command, options->run);
    command->callback([options, command, &chosen] {
        note_given(*command, options->run);
        check_transport(options->transport);
        parse_conditions(options->verdict.fail_if);
        check_probes(options->probes);
        if (options->to.empty() && !options->self)
            throw CLI::ValidationError("one of --to HOST:PORT and --self is required");
        if (options->trials.any()) {
            for (const char* other : {"--out", "--strict", "--fail-if"})
                if (command->count(other) > 0)
                    throw CLI::ValidationError(fmt::format("{}: not with --find-max, --sweep or --repeat", other));
            for (const char* other : {"--rate", "--profile", "--ping-pong", "--window", "--count"})
                if (options->trials.repeat == 1 && command->count(other) > 0)
                    throw CLI::ValidationError(fmt::format("{}: not with --find-max or --sweep", other));
            if (options->duration == never && options->count == UINT64_MAX) options->duration = default_trial;
        }
        const bool closed = options->ping_pong || options->window > 0;
        for (const char* name : {"--arrivals", "--burst", "--profile"})
            if (closed && command->count(name) > 0)
                throw CLI::ValidationError(
                    fmt::format("{}: a closed loop has none, an answer makes room for the next probe", name));
        if (options->rate == 0 && !closed) options->rate = default_rate;
        check_arrivals(*command, options->arrivals, options->rate, options->duration);
        options->window = std::max(options->window, 1u);
        if (options->count == UINT64_MAX && options->duration == never) options->duration = default_duration;
        chosen = [options] { return latency_command(*options); };
    });
}

}  // namespace ringpost::apps
