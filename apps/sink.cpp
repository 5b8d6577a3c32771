// ringpost sink: receives, verifies, classifies.

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "apps/commands.hpp"
#include "apps/measuring/engines.hpp"
#include "apps/measuring/monitor.hpp"
#include "apps/measuring/outcome.hpp"
#include "apps/random.hpp"
#include "apps/self_peer.hpp"
#include "codec/load/sink.hpp"
#include "engine/address.hpp"

namespace ringpost::apps {
namespace {

/// How often the other end of a --self run can see what has been counted.
constexpr Duration publish_every = 10 * millisecond;

/// What the engines of one sink share.
struct SinkRun {
    const ServerOptions& options;
    StartLine& line;
    Monitor& monitor;
};

template <class AnyLoop>
class SinkApplication {
  public:
    SinkApplication(AnyLoop& loop, const load::Sink& sink, const SinkRun& run, std::size_t engine)
        : loop_(loop),
          sink_(sink),
          run_(run),
          engine_(engine),
          start_(now()),
          ticker_(start_, second),
          publish_(start_, publish_every),
          look_(start_, look_every) {}

    void on_event(Instant, const load::Sink::Event&) {}

    Instant on_turn(Instant at) {
        if (run_.line.failed()) loop_.stop();
        if (received_signal() != 0) return stop_when_quiet(at);
        if (ticker_.tick(at)) hand_over(at);
        Instant next = ticker_.next();
        if (run_.options.counts != nullptr) {
            if (publish_.tick(at)) publish();
            next = std::min(next, publish_.next());
        }
        // A signal wakes one engine; the others have to look.
        if (run_.options.threads.count > 1) {
            look_.tick(at);
            next = std::min(next, look_.next());
        }
        return next;
    }

  private:
    void hand_over(Instant at) {
        const load::SinkCounts counts = sink_.counts();
        if (counts.received == handed_over_) return;
        handed_over_ = counts.received;
        run_.monitor.hand_over(engine_, [&](Snapshot& now) {
            now.elapsed_s = seconds(at - start_);
            now.received = counts.received;
            now.lost = static_cast<std::int64_t>(counts.lost);
            now.socket_dropped = loop_.backend().counters().socket_dropped;
        });
    }

    void publish() {
        const load::SinkCounts counts = sink_.counts();
        run_.options.counts->publish(engine_, {.received = counts.received,
                                               .lost = counts.lost,
                                               .socket_dropped = loop_.backend().counters().socket_dropped});
    }

    Instant stop_when_quiet(Instant at) {
        if (stop_at_ == never) stop_at_ = at + 100 * run_.options.linger;
        const Instant last = sink_.counts().last_at;
        const Instant quiet_at = last == never ? at : last + run_.options.linger;
        if (at >= quiet_at || at >= stop_at_) loop_.stop();
        return std::min(quiet_at, stop_at_);
    }

    AnyLoop& loop_;
    const load::Sink& sink_;
    const SinkRun& run_;
    std::size_t engine_;
    Instant start_;
    Ticker ticker_, publish_, look_;
    Instant stop_at_ = never;
    std::uint64_t handed_over_ = 0;
};

/// What one engine has seen, and when.
struct SinkOutcome {
    Outcome outcome;
    Instant first_at = never, last_at = never;
    std::uint64_t at_first = 0;

    void add(const SinkOutcome& other) {
        outcome.add(other.outcome);
        if (other.first_at == never) return;
        at_first = other.first_at < first_at ? other.at_first : at_first;
        last_at = first_at == never ? other.last_at : std::max(last_at, other.last_at);
        first_at = std::min(first_at, other.first_at);
    }
};

template <class AnyLoop>
SinkOutcome run_one_sink(AnyLoop& loop, std::size_t engine, UdpSocket socket, const SinkRun& run,
                         const OnListening& on_listening) {
    std::optional<SignalWakes> wakes;
    if (engine == 0) wakes.emplace(loop.backend().waker());
    load::Sink sink(run.options.verify ? load::Sink::Verify::on : load::Sink::Verify::off, random_key());
    const bool gro = socket.gro();
    const std::uint16_t port = socket.local().port;
    loop.backend().add(std::move(socket));
    run.line.ready();
    if (engine == 0) on_listening(port);
    SinkApplication application(loop, sink, run, engine);
    SinkOutcome out;
    if (run.options.transport.gtudp) {
        gtudp::Carried carried(sink, {.wire = wire_options(run.options.transport), .target = {}});
        loop.run(carried, application);
        out.outcome.counts = wire_counts(carried.wire().counts());
    } else {
        loop.run(sink, application);
    }
    const load::SinkCounts counts = sink.counts();
    const Counters engine_counters = loop.backend().counters();
    out.outcome.counts.update({{"received", counts.received},
                               {"bytes", counts.bytes},
                               {"lost", counts.lost},
                               {"duplicate", counts.duplicate},
                               {"reordered", counts.reordered},
                               {"corrupt", counts.corrupt},
                               {"socket_dropped", engine_counters.socket_dropped},
                               {"streams", counts.streams},
                               {"streams_forgotten", counts.streams_forgotten}});
    out.outcome.counts.update(engine_counts(engine_counters));
    out.outcome.facts = {{"backend", loop.backend().name}, {"gro", gro}};
    note_send_error(out.outcome.facts, engine_counters);
    out.first_at = counts.first_at;
    out.last_at = counts.last_at;
    out.at_first = counts.at_first;
    return out;
}

Json summary_of(const ServerOptions& options, const SinkOutcome& of) {
    Json summary = of.outcome.counts;
    const auto received = summary["received"].get<std::uint64_t>();
    const double duration_s = received > 0 ? seconds(of.last_at - of.first_at) : 0;
    const double rate_per_s = ratio(static_cast<double>(received - of.at_first), duration_s);
    summary["duration_s"] = duration_s;
    summary["rate_per_s"] = rate_per_s;
    summary["bits_per_s"] = ratio(rate_per_s * summary["bytes"].get<double>() * 8, static_cast<double>(received));
    summary.update(of.outcome.facts);
    if (options.transport.gtudp) summary["transport"] = "gtudp";
    return summary;
}

int sink_command(const ServerOptions& options) {
    Report report(options.common.json);
    const Json summary = run_sink(options, report, [&](std::uint16_t port) {
        report.say(fmt::format("sink listening on port {}", port));
        report.event("listening", {{"port", port}});
    });
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    report.print(fmt::format("received {} datagrams ({} bytes) in {:.3f} s: {:.0f}/s, {:.3f} Gbit/s", count("received"),
                             count("bytes"), summary["duration_s"].get<double>(), summary["rate_per_s"].get<double>(),
                             summary["bits_per_s"].get<double>() / 1e9));
    report.print(fmt::format("lost {} (receive buffer full {} times)  duplicate {}  reordered {}  corrupt {}",
                             count("lost"), count("socket_dropped"), count("duplicate"), count("reordered"),
                             count("corrupt")));
    if (options.transport.gtudp) report.print(wire_text(summary));
    report.event("summary", summary);
    return exit_code(Exit::done);
}

}  // namespace

Json run_sink(const ServerOptions& options, Report& report, const OnListening& on_listening) {
    std::vector<UdpSocket> sockets = open_server_sockets(options);
    const RunShape shape{.command = "sink",
                         .sends = false,
                         .histograms = {},
                         .drop_datagrams_max = sockets[0].gro() ? limits::train_segments_max : 1};
    Monitor monitor({.shape = shape, .engines = sockets.size(), .prometheus = options.prometheus, .complete = {}},
                    report, nullptr);
    StartLine line(sockets.size());
    const SinkRun run{options, line, monitor};
    const auto say = [&](const std::string& text) { report.say(text); };
    std::vector<SinkOutcome> outcomes = run_engines(
        options.common.engine, options.threads, options.end, line, say, [&](auto& loop, std::size_t engine) {
            return run_one_sink(loop, engine, std::move(sockets[engine]), run, on_listening);
        });
    SinkOutcome all = std::move(outcomes.front());
    for (std::size_t i = 1; i < outcomes.size(); ++i) all.add(outcomes[i]);
    Json summary = summary_of(options, all);
    Snapshot& end = all.outcome.snapshot;
    end.received = summary["received"];
    end.lost = summary["lost"];
    end.socket_dropped = summary["socket_dropped"];
    monitor.finish(end);
    summary["lost_in"] = loss_json(shape, end);
    return summary;
}

void add_sink(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("sink", "receive, verify and classify what `load` sends");
    auto options = std::make_shared<ServerOptions>();
    add_server(*command, *options);
    add_threads(*command, options->threads);
    add_prometheus(*command, options->prometheus);
    command->add_flag("!--no-verify", options->verify, "only count: no sequences, no CRC");
    add_transport(*command, options->transport, {});
    add_common(*command, options->common, {.offload = true});
    command->callback([options, &chosen] {
        check_transport(options->transport);
        chosen = [options] { return sink_command(*options); };
    });
}

}  // namespace ringpost::apps
