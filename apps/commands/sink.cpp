// ringpost sink: receives, verifies and classifies the datagrams of `load`.

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "apps/cli/help.hpp"
#include "apps/cli/multicast.hpp"
#include "apps/cli/random.hpp"
#include "apps/cli/sandbox.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/sink_report.hpp"
#include "apps/measuring/engines.hpp"
#include "apps/measuring/monitor.hpp"
#include "apps/measuring/one_way.hpp"
#include "apps/measuring/outcome.hpp"
#include "apps/measuring/self_peer.hpp"
#include "apps/measuring/verdict.hpp"
#include "apps/runs/figures.hpp"
#include "codec/base/limits.hpp"
#include "codec/traffic/answering_sink.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

/// How often the sink of --self publishes its figures to the sender.
constexpr Duration publish_every = 10 * millisecond;

/// Shared by the engines of one sink.
struct SinkRun {
    const PeerOptions& options;
    std::optional<Duration> one_way;  ///< the offset of --one-way
    Instant listening_since;          ///< from then on the kernel keeps what arrives
    StartLine& line;
    Monitor& monitor;
    EndCount& count;
    const std::optional<NativeServer>& native;  ///< of --transport native
};

/// The sink of one engine: alone, answering, or on the reliable layer.
struct SinkStack {
    std::optional<traffic::Sink> plain;
    std::optional<traffic::AnsweringSink> answering;
    std::optional<traffic::GtudpTunnel<traffic::Sink>> tunnel;
    std::optional<traffic::NativeTunnel<traffic::Sink>> sealed;

    SinkStack(const SinkRun& run, std::size_t engine) {
        const traffic::SinkOptions options{
            .verify = run.options.verify,
            .key = random_key(),
            .one_way = run.one_way,
            .listening_since = run.listening_since,
            .answers_control = run.options.control && run.options.verify && !run.options.transport.reliable(),
            .reverse = {.key = random_key(),
                        .bits_per_s_max = run.options.reverse_bits_per_s / run.options.threads.count,
                        .train_segments = run.options.common.engine.gso ? limits::train_segments_max : 1}};
        if (run.options.bidirectional)
            answering.emplace(traffic::AnsweringSinkOptions{
                .sink = options, .seed = random_value<std::uint64_t>(), .due_offset = run.one_way.value_or(0)});
        else
            plain.emplace(options);
        if (run.native) sealed.emplace(*plain, tunnel_of(*run.native, engine));
        if (run.options.transport.gtudp())
            tunnel.emplace(
                *plain, traffic::GtudpTunnelOptions{.wire = wire_options(run.options.transport, run.options.end.count),
                                                    .target = {}});
    }

    traffic::Sink& sink() { return answering ? answering->sink() : *plain; }
    const traffic::Sink& sink() const { return answering ? answering->sink() : *plain; }

    /// How long peers are served after the last datagram of --count, while they wait.
    Duration linger() const { return tunnel ? last_answers_linger : sealed ? native_linger : no_linger; }
    bool peers_wait() const { return tunnel ? tunnel->peers_wait() : sealed.has_value(); }

    template <class AnyLoop, class Application>
    void run(AnyLoop& loop, Application& application) {
        if (sealed) return loop.run(*sealed, application);
        if (tunnel) return loop.run(*tunnel, application);
        answering ? loop.run(*answering, application) : loop.run(*plain, application);
    }

    Json counters() const {
        const traffic::SinkCounters seen = sink().counters();
        Json out = {{"received", seen.received},
                    {"bytes", seen.bytes},
                    {"lost", seen.lost},
                    {"before_start", seen.before_start},
                    {"duplicate", seen.duplicate},
                    {"reordered", seen.reordered},
                    {"corrupt", seen.corrupt},
                    {"streams", seen.streams},
                    {"streams_forgotten", seen.streams_forgotten}};
        add_counters(out, "sink", seen);
        add_counters(out, "control", sink().control());
        if (const traffic::ReverseSender* const reverse = sink().reverse()) {
            out["reverse_sent"] = reverse->counters().frames;
            add_counters(out, "reverse", reverse->counters());
        }
        if (tunnel) add_wire_counts(out, tunnel->wire().counters());
        if (sealed) add_native_counts(out, sealed->wire());
        if (answering) {
            const traffic::AnswerCounters answers = answering->answers();
            out.update({{"answers_sent", answers.sent},
                        {"answers_dropped", answers.dropped},
                        {"answers_refused", answers.refused},
                        {"answers_sources_forgotten", answers.sources_forgotten}});
            add_counters(out, "answers", answers);
        }
        return out;
    }
};

template <class AnyLoop>
class SinkApplication {
  public:
    SinkApplication(AnyLoop& loop, SinkStack& stack, const SinkRun& run, std::size_t engine, Instant start)
        : loop_(loop),
          stack_(stack),
          sink_(stack.sink()),
          run_(run),
          engine_(engine),
          start_(start),
          clients_(run.native ? run.native->clients.get() : nullptr, engine),
          end_(run.options.end, run.count, start, stack.linger(), [&stack] { return stack.peers_wait(); }),
          ticker_(start_, second),
          publish_(start_, publish_every),
          look_(start_, look_every) {}

    void on_event(Instant, const traffic::Sink::Event&) {}

    Instant on_turn(Instant at) {
        if (stack_.sealed) clients_.renew(*stack_.sealed);
        if (run_.line.failed() || end_.over(at, sink_.counters().received)) loop_.stop();
        if (received_signal() != 0) return stop_when_quiet(at);
        if (ticker_.tick(at)) hand_over(at);
        Instant next = std::min(ticker_.next(), end_.next());
        if (run_.options.figures != nullptr) {
            if (publish_.tick(at)) publish();
            next = std::min(next, publish_.next());
        }
        // A signal wakes one engine; the others poll.
        if (run_.options.threads.count > 1) {
            look_.tick(at);
            next = std::min(next, look_.next());
        }
        return next;
    }

  private:
    void hand_over(Instant at) {
        run_.monitor.hand_over(engine_, [&](Snapshot& now) {
            fill(now);
            now.elapsed_s = seconds(at - start_);
            if (run_.one_way) now.histograms.assign(1, sink_.one_way());
        });
    }

    void publish() {
        Snapshot now;
        fill(now);
        run_.options.figures->publish(engine_, now);
    }

    void fill(Snapshot& now) {
        const traffic::SinkCounters counts = sink_.counters();
        now.received = counts.received;
        now.lost = static_cast<std::int64_t>(counts.lost);
        now.engine = loop_.backend().counters();
        now.socket_dropped = now.engine.socket_dropped;
    }

    /// The sender has announced how many it sent, as many have arrived, and nothing came since the last turn.
    bool has_all() {
        publish();
        Snapshot all;
        run_.options.figures->copy_to(all);
        const traffic::SinkCounters counts = sink_.counters();
        const std::uint64_t received = loop_.backend().counters().received;
        return std::exchange(received_, received) == received && counts.duplicate + counts.corrupt == 0 &&
               all.received >= run_.options.figures->sent();
    }

    Instant stop_when_quiet(Instant at) {
        if (signalled_at_ == never) signalled_at_ = at;
        const Instant last = sink_.counters().last_at;
        // Also wait since the signal: datagrams in the socket's buffer may not have been read yet.
        const Instant quiet_at = (last == never ? signalled_at_ : std::max(last, signalled_at_)) + run_.options.linger;
        const Instant stop_at = signalled_at_ + 100 * run_.options.linger;
        const bool knows_sent = run_.options.figures != nullptr;
        if (at >= quiet_at || at >= stop_at || (knows_sent && has_all())) loop_.stop();
        return knows_sent ? at : std::min(quiet_at, stop_at);
    }

    AnyLoop& loop_;
    SinkStack& stack_;
    const traffic::Sink& sink_;
    const SinkRun& run_;
    std::size_t engine_;
    Instant start_;
    ClientList::User clients_;
    EndWatch end_;
    Ticker ticker_, publish_, look_;
    Instant signalled_at_ = never;
    std::uint64_t received_ = UINT64_MAX;  ///< datagrams of this engine at the last turn after the signal
};

/// The outcome of one engine, and when its datagrams arrived.
struct SinkOutcome {
    Outcome outcome;
    SenderReport senders;
    Instant first_at = never, last_at = never;
    std::uint64_t at_first = 0;
    Duration before_sent_max = 0;  ///< OneWayCounters

    void add(const SinkOutcome& other) {
        outcome.add(other.outcome);
        senders.add(other.senders);
        before_sent_max = std::max(before_sent_max, other.before_sent_max);
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
    SinkStack stack(run, engine);
    const bool gro = socket.gro();
    const Address local = socket.local();
    loop.backend().add(std::move(socket));
    const Instant start = run.line.ready();
    if (engine == 0) on_listening(local);
    SinkApplication application(loop, stack, run, engine, start);
    stack.run(loop, application);
    const EngineCounters counters = loop.backend().counters();
    const traffic::SinkCounters counts = stack.sink().counters();
    SinkOutcome out{.outcome = {},
                    .senders = SenderReport(stack.sink()),
                    .first_at = counts.first_at,
                    .last_at = counts.last_at,
                    .at_first = counts.at_first};
    out.outcome.counts = stack.counters();
    out.outcome.counts["socket_dropped"] = counters.socket_dropped;
    add_engine_counts(out.outcome.counts, counters);
    if (run.one_way) {
        const traffic::OneWayCounters& one_way = stack.sink().one_way_counts();
        out.outcome.counts["before_sent"] = one_way.before_sent;
        out.outcome.counts["clock_apart"] = one_way.clock_apart;
        add_counters(out.outcome.counts, "one_way", one_way);
        out.before_sent_max = one_way.before_sent_max;
        out.outcome.snapshot.histograms.push_back(stack.sink().one_way());
    }
    out.outcome.snapshot.elapsed_s = seconds(std::max<Duration>(now() - start, 0));  // it may end before the start
    out.outcome.facts = {{"backend", loop.backend().name}, {"gso", loop.backend().sends_trains()}, {"gro", gro}};
    note_send_error(out.outcome.facts, counters);
    return out;
}

Json summary_of(const PeerOptions& options, const SinkOutcome& of) {
    Json summary = of.outcome.counts;
    const auto received = summary["received"].get<std::uint64_t>();
    const double duration_s = received > 0 ? seconds(of.last_at - of.first_at) : 0;
    const double rate_per_s = ratio(static_cast<double>(received - of.at_first), duration_s);
    summary["duration_s"] = duration_s;
    summary["rate_per_s"] = rate_per_s;
    summary["bits_per_s"] = ratio(rate_per_s * summary["bytes"].get<double>() * 8, static_cast<double>(received));
    summary.update(of.outcome.facts);
    of.senders.add_to(summary, options.verify);
    if (!options.verify)
        for (const char* unknown : {"lost", "before_start", "duplicate", "reordered", "corrupt"})
            summary[unknown] = nullptr;
    if (options.transport.reliable()) summary["transport"] = options.transport.name();
    if (options.one_way) {
        summary["one_way_us"] = percentiles_us(of.outcome.snapshot.histograms.at(0));
        summary["before_sent_max_us"] = static_cast<double>(of.before_sent_max) / 1e3;
    }
    return summary;
}

}  // namespace

SinkEnd measure_sink(const PeerOptions& options, Report& report, RunDirectory* directory,
                     const OnListening& on_listening) {
    std::vector<UdpSocket> sockets = open_server_sockets(options);
    const Instant listening_since = now();
    RunShape shape{.command = "sink",
                   .sends = false,
                   .verifies = options.verify,
                   .histograms = {},
                   .drop_datagrams_max = sockets[0].gro() ? limits::train_segments_max : 1};
    if (options.one_way) shape.histograms.emplace_back("one_way");
    Monitor monitor({.shape = shape, .engines = sockets.size(), .prometheus = options.prometheus, .complete = {}},
                    report, directory);
    if (directory != nullptr) directory->begin(shape, listening_since, sockets[0].local());
    StartLine line(sockets.size());
    std::optional<NativeServer> native;
    if (options.transport.native()) {
        native = native_server(options.transport, sockets.size(), report);
        steer_to_shards(sockets, report);
    }
    if (options.transport.insecure) report.note(insecure_note);
    EndCount count{0};
    const SinkRun run{options,         options.one_way ? std::optional(one_way_offset()) : std::nullopt,
                      listening_since, line,
                      monitor,         count,
                      native};
    const auto notify = [&](const std::string& text) { report.note(text); };
    // If an engine's socket closed early, the kernel would route its streams to another engine, which would count them
    // as new. So all sockets stay open until all engines have ended.
    std::vector<int> open_sockets;
    open_sockets.reserve(sockets.size());
    for (const UdpSocket& socket : sockets) open_sockets.push_back(dup(socket.fd()));
    Sandbox sandbox(options.common, report);
    KeptFiles files{.accessible_beneath = directory != nullptr ? directory->path() : ""};
    AllowedCalls calls{.connections = !options.prometheus.empty(), .files = directory != nullptr};
    keep_client_list(options.transport.allow, files, calls);
    const auto listening = [&](const Address& local) {
        sandbox.deny_calls(calls);
        on_listening(local);
    };
    sandbox.deny_files(files);
    std::vector<SinkOutcome> outcomes = run_engines(
        options.common.engine, options.threads, options.side, line, notify, [&](auto& loop, std::size_t engine) {
            return run_one_sink(loop, engine, std::move(sockets[engine]), run, listening);
        });
    for (const int fd : open_sockets) close(fd);
    SinkOutcome all = std::move(outcomes.front());
    for (std::size_t i = 1; i < outcomes.size(); ++i) all.add(outcomes[i]);
    Json summary = summary_of(options, all);
    Snapshot& end = all.outcome.snapshot;
    end.cpu_s = cpu_seconds();
    end.received = summary["received"];
    if (options.verify) end.lost = summary["lost"];
    end.socket_dropped = summary["socket_dropped"];
    monitor.finish(end);
    // A sink alone knows the loss only from sequences.
    summary.update(summary_json(shape, end, When::running));
    return {std::move(summary), std::move(end)};
}

Json run_sink(const PeerOptions& options, Report& report, const OnListening& on_listening) {
    return measure_sink(options, report, nullptr, on_listening).summary;
}

void add_sink(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("sink", "receive, verify and classify the datagrams of `load`");
    auto options = std::make_shared<PeerOptions>();
    add_server(*command, *options);
    add_allow(*command, *options, Allowed::networks_or_clients);
    add_threads(*command, options->threads);
    add_join(*command, options->join);
    begin_group(*command, "Output");
    add_prometheus(*command, options->prometheus);
    add_run(*command, options->run);
    begin_group(*command, "Verdict");
    add_fail_if(*command, options->fail_if,
                "exit 3 if the condition holds at the end: 'loss>0.1%', 'rate<100k'; with --one-way also 'p99>1ms'; "
                "repeatable (default none)");
    add_server_end(*command, options->end, "datagrams");
    begin_group(*command, "Payload");
    auto* verify = command->add_flag("!--no-verify", options->verify, "count without checking sequence and CRC");
    command
        ->add_flag("--one-way", options->one_way, "record times from due to received; the sender needs --one-way too")
        ->excludes(verify);
    auto* both =
        command->add_flag("--bidirectional", options->bidirectional, "answer each frame with one of the same size")
            ->excludes(verify);
    auto* control =
        command->add_flag("!--no-control", options->control, "do not report the counts of a flow to its `load`");
    add_parsed(*command, "--reverse-max", options->reverse_bits_per_s, parse_bit_rate,
               "send to each `load --reverse` that asks, at most at this rate for all together, headers included "
               "(default off)")
        ->excludes(control)
        ->excludes(verify)
        ->excludes(both);
    add_transport(*command, options->transport, {.server = true});
    add_common(*command, options->common, {.offload = true});
    add_sandbox(*command, options->common);
    end_help(*command,
             {.notes = {},
              .examples = {"ringpost sink --port 5000 --threads 2", "ringpost sink --port 5000 --join 239.1.2.3@eth0",
                           "ringpost sink --port 5000 --duration 10s --fail-if 'loss>0.1%' --out run1"},
              .exits = {Exit::failed, Exit::breach, Exit::unreachable},
              .server = true});
    command->callback([options, command, &chosen] {
        note_given(*command, options->run);
        check_transport(*command, options->transport);
        check_conditions(*options);
        if (options->reverse_bits_per_s > 0 && options->transport.reliable())
            throw CLI::ValidationError(
                fmt::format("--reverse-max: not with --transport {}", options->transport.name()));
        if (options->bidirectional && options->transport.reliable())
            throw CLI::ValidationError(
                fmt::format("--bidirectional: {} carries messages one way only", options->transport.name()));
        chosen = [options] { return sink_command(*options); };
    });
}

}  // namespace ringpost::apps
