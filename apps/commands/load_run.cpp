#include "apps/commands/load_run.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "apps/cli/random.hpp"
#include "apps/measuring/engines.hpp"
#include "apps/measuring/far_counts.hpp"
#include "apps/measuring/flow_shares.hpp"
#include "apps/measuring/one_way.hpp"
#include "codec/traffic/sink.hpp"
#include "codec/traffic/source.hpp"
#include "engine/faces/native_open.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

/// An ICMP error within this time after the start means that the peer's port is closed; so does one seen by one of the
/// first looks, however late they are.
constexpr Duration refused_early = 500 * millisecond;
constexpr int first_looks = 3;

/// Shared by the engines of one run.
struct LoadRun {
    const LoadOptions& options;
    const Address& target;
    const Agents& agents;
    StartLine& line;
    Monitor& monitor;
    const std::function<void(const std::string&)>& notify;
    Duration due_offset = 0;  ///< of --one-way
};

template <class AnyLoop>
class LoadApplication {
  public:
    struct Hooks {
        std::function<void(Instant)> stop;      ///< sends nothing that is due from then on
        std::function<bool(Instant)> finished;  ///< there is nothing more to wait for
        std::function<void(Snapshot&)> fill;    ///< writes the counts since the start
    };
    LoadApplication(AnyLoop& loop, const LoadRun& run, std::size_t engine, Instant start, Hooks hooks)
        : loop_(loop),
          run_(run),
          engine_(engine),
          hooks_(std::move(hooks)),
          start_(start),
          look_(now(), look_every),
          ticker_(start, second) {}

    void on_event(Instant, const traffic::Source::Event&) {}

    Instant on_turn(Instant at) {
        if (received_signal() != 0) hooks_.stop(at);
        if (run_.line.failed() || hooks_.finished(at)) loop_.stop();
        if (look_.tick(at) && at >= start_ && (looks_++ < first_looks || at < start_ + refused_early)) {
            refused_ = loop_.backend().counters().unreachable > 0;
            if (refused_) {
                hooks_.stop(at);
                loop_.stop();
            }
        }
        if (ticker_.tick(at) && !hooks_.finished(at))
            run_.monitor.hand_over(engine_, [&](Snapshot& now) {
                hooks_.fill(now);
                now.elapsed_s = seconds(at - start_);
            });
        return std::min(look_.next(), ticker_.next());
    }

    /// The peer's port was found closed at the start.
    bool refused() const { return refused_; }

  private:
    AnyLoop& loop_;
    const LoadRun& run_;
    std::size_t engine_;
    Hooks hooks_;
    Instant start_;
    Ticker look_, ticker_;
    int looks_ = 0;  ///< since the start
    bool refused_ = false;
};

/// A train must fit into the window as a whole.
std::size_t train_segments(const LoadOptions& options) {
    if (options.transport.gtudp())
        return std::min<std::size_t>(limits::train_segments_max,
                                     window_for(options.transport, options.sizes.largest()));
    return options.common.engine.gso ? limits::train_segments_max : limits::load_batch_without_gso;
}

traffic::SourceOptions source_options(const LoadRun& run, const Share& share, std::uint32_t flows, Instant start) {
    const LoadOptions& options = run.options;
    traffic::SourceOptions out{.sizes = options.sizes,
                               .sizes_seed = random_value<std::uint64_t>(),
                               .flows = flows,
                               .stream = random_value<std::uint32_t>() & (traffic::answer_stream_bit / 2 - 1),
                               .share_index = share.index,
                               .share_of = share.of,
                               .train_segments = train_segments(options),
                               .verify = options.verify,
                               .due_offset = run.due_offset,
                               .stop = start + options.duration};
    if (options.payloads.dialect) {
        out.payload = &options.payloads.dialect->payload;
        out.payload_first = share.before(out.payload->count());
        out.payload_seed = random_value<std::uint64_t>();
        out.unix_offset = unix_offset();
    }
    set_arrivals(out, options.arrivals, options.rate, start);
    return out;
}

/// The endpoint of one engine: a Source alone, with a sink for the way back, or on the reliable layer.
struct SourceStack {
    traffic::Source source;
    std::optional<traffic::Sink> back;
    std::optional<traffic::GtudpTunnel<traffic::Source>> tunnel;
    std::unique_ptr<native::Qlog> log;
    std::optional<traffic::NativeTunnel<traffic::Source>> sealed;
    Instant stop_at = never;
    Instant interrupted_at = never;

    /// Makes the large allocations, well before begin().
    explicit SourceStack(const LoadRun& run) : source({}) {
        if (run.options.bidirectional) back.emplace(traffic::SinkOptions{.key = random_key(), .one_way = {}});
        const TransportOptions& transport = run.options.transport;
        if (transport.native()) {
            log = client_log(transport);
            sealed.emplace(source, tunnel_to(run.target, transport, log.get()));
        }
        if (transport.gtudp())
            tunnel.emplace(source,
                           traffic::GtudpTunnelOptions{.wire = wire_options(transport),
                                                       .target = run.target,
                                                       .window = window_for(transport, run.options.sizes.largest())});
    }
    SourceStack(const SourceStack&) = delete;
    SourceStack& operator=(const SourceStack&) = delete;

    void begin(traffic::SourceOptions options) {
        options.replies = back ? &*back : nullptr;
        source = traffic::Source(options);
        stop_at = options.stop;
    }

    void stop(Instant at) {
        source.stop(at);
        stop_at = std::min(stop_at, at);
        interrupted_at = std::min(interrupted_at, at);
    }

    template <class AnyLoop, class Application>
    void run(AnyLoop& loop, Application& application) {
        if (sealed) return loop.run(*sealed, application);
        tunnel ? loop.run(*tunnel, application) : loop.run(source, application);
    }

    bool finished(Instant at) {
        if (sealed) return finished_native(at);
        if (!source.finished(at)) return false;
        if (back) return back->counters().received >= source.sent() || at >= stop_at + answers_linger;
        if (!tunnel || tunnel->wire().in_flight() == 0) return true;
        // Each message gets its outcome, but an interrupt does not wait long for a silent peer.
        return interrupted_at != never && at >= interrupted_at + answers_linger;
    }

    /// The connection closes once all is sent, which waits until the peer has taken everything.
    bool finished_native(Instant at) {
        if (sealed->ended()) return true;
        if (!sealed->closing() && source.finished(at) && sealed->taken() == source.sent()) sealed->close(at, never);
        return interrupted_at != never && at >= interrupted_at + answers_linger;
    }
    std::string_view end_text() const {
        if (sealed->outcome()) return to_text(sealed->outcome()->code);
        return native::reason(sealed->failure());
    }
    /// Messages that the peer has not acknowledged.
    std::uint64_t unconfirmed() const {
        if (sealed->outcome()) return sealed->outcome()->unconfirmed;
        return sealed->connection() != nullptr ? sealed->connection()->count_unacknowledged() : 0;
    }

    /// The bytes of the `sent` datagrams that the kernel took, assuming that it refused all sizes alike.
    std::uint64_t bytes_sent(std::uint64_t sent) const {
        const double taken = ratio(static_cast<double>(sent), static_cast<double>(source.sent()));
        return static_cast<std::uint64_t>(std::llround(static_cast<double>(source.bytes_sent()) * taken));
    }

    void fill(const LoadOptions& options, const EngineCounters& counters, Snapshot& now) const {
        // Datagrams taken by the kernel, or messages taken by the reliable layer.
        now.sent = sealed ? sealed->taken() : tunnel ? tunnel->wire().counters().taken : counters.sent;
        now.engine = counters;
        now.histograms.resize(shape_of(options).histograms.size());
        std::size_t next = 0;
        if (options.rate > 0) now.histograms[next++] = source.slip();
        if (tunnel) now.histograms[next] = tunnel->confirmed();
        if (sealed) fill_connection(now, sealed->path(), sealed->statistics());
    }

    Json counts(std::uint64_t sent) const {
        Json out = {{"bytes_sent", bytes_sent(sent)}, {"unexpected", source.unexpected()}};
        if (tunnel) add_wire_counts(out, tunnel->wire().counters());
        if (sealed) {
            out.update({{"confirmed", sent - unconfirmed()}, {"gave_up", unconfirmed()}});
            add_native_counts(out, sealed->wire());
        }
        if (!back) return out;
        const traffic::SinkCounters seen = back->counters();
        out.update({{"back_received", seen.received},
                    {"back_gaps", seen.lost},
                    {"back_duplicate", seen.duplicate},
                    {"back_reordered", seen.reordered},
                    {"back_corrupt", seen.corrupt}});
        add_counters(out, "sink", seen);
        return out;
    }
};

template <class AnyLoop>
Outcome run_source(AnyLoop& loop, std::size_t engine, const LoadRun& run) {
    const LoadOptions& options = run.options;
    const auto [share, flows, first_flow] = part_of(run.agents, engine, options.threads.count, options.flows);
    std::optional<SignalWakes> wakes;
    if (engine == 0) wakes.emplace(loop.backend().waker());
    SocketOptions socket;
    socket.connect = run.target;
    socket.gro =
        (options.transport.reliable() || options.bidirectional) && options.common.gro;  // otherwise nothing is received
    std::vector<FlowCount> counted(flows);
    for (std::uint32_t i = 0; i < flows; ++i) {
        UdpSocket opened = open_flow(options, socket, first_flow + i, options.flows * run.agents.count());
        if (first_flow + i == 0 && !options.transport.reliable())
            note_socket(options.sender, opened, options.payloads.dialect.get(), options.sizes, run.notify);
        counted[i].port = opened.local().port;
        loop.backend().add(std::move(opened));
    }
    loop.backend().enter(0);  // with many sockets, the first turn takes long
    SourceStack stack(run);
    const Instant start = run.line.ready();
    const traffic::SourceOptions wanted = source_options(run, share, flows, start);
    stack.begin(wanted);
    const traffic::Source& source = stack.source;
    const auto fill = [&](Snapshot& now) { stack.fill(options, loop.backend().counters(), now); };
    LoadApplication application(loop, run, engine, start,
                                {.stop = [&](Instant at) { stack.stop(at); },
                                 .finished = [&](Instant at) { return stack.finished(at); },
                                 .fill = fill});
    stack.run(loop, application);
    Outcome out;
    fill(out.snapshot);
    const Instant stopped_at = std::max(std::min(now(), stack.stop_at), start);
    const Instant end = stack.tunnel   ? std::max(stack.tunnel->last_confirmed_at(), stopped_at)
                        : stack.sealed ? now()
                                       : stopped_at;
    out.duration_s = out.snapshot.elapsed_s = seconds(end - start);
    const EngineCounters counters = loop.backend().counters();
    out.counts = stack.counts(out.snapshot.sent);
    for (std::uint32_t i = 0; i < flows; ++i) counted[i].sent = source.sent_by_flow()[i];
    if (options.flows > 1 && !options.transport.reliable()) add_flow_counts(out.counts, first_flow, counted);
    if (options.rate > 0) out.counts.update({{"due", source.sent() + source.unsent()}, {"unsent", source.unsent()}});
    out.counts.update({{"refused", application.refused() ? 1 : 0}, {"trains", counters.sent_trains}});
    if (options.bidirectional) out.counts["back_socket_dropped"] = counters.socket_dropped;
    add_engine_counts(out.counts, counters);
    out.facts = {{"backend", loop.backend().name},
                 {"granted", loop.backend().granted()},
                 {"gso", loop.backend().sends_trains() && counters.trains_refused == 0}};
    if (stack.sealed) out.facts.update({{"end", stack.end_text()}, {"path", path_json(stack.sealed->path())}});
    note_send_error(out.facts, counters);
    if (asks_far_counts(options, run.target) && !application.refused()) {
        add_counters(out.counts, "far", ask_far_counts(loop, source.sent_by_flow(), wanted.stream));
        if (options.one_way) add_clock_offset(out.facts, loop, wanted.stream, run.due_offset);
    }
    return out;
}

}  // namespace

RunShape shape_of(const LoadOptions& options) {
    RunShape shape{.command = "load",
                   .receives = options.threads.self,
                   .verifies = options.verify,
                   .connected = options.transport.native(),
                   .histograms = {},
                   .drop_datagrams_max = options.common.gro ? limits::train_segments_max : 1};
    if (options.rate > 0) shape.histograms.emplace_back("slip");
    if (options.transport.gtudp()) shape.histograms.emplace_back("confirmed");
    return shape;
}

bool asks_far_counts(const LoadOptions& options, const Address& target) {
    return options.control && options.verify && !options.transport.reliable() && !options.threads.self &&
           !(options.find_max && options.bidirectional) && !is_multicast(target);
}

void check_load_target(const LoadOptions& options, const Address& target) {
    if (!is_multicast(target)) return;
    if (options.transport.reliable())
        throw Failure(Exit::usage, fmt::format("--to {}: {} sends to one peer, not to a group", to_text(target),
                                               options.transport.name()));
    if (options.bidirectional)
        throw Failure(Exit::usage, fmt::format("--to {}: --bidirectional receives from one peer, not from a group",
                                               to_text(target)));
}

Outcome measure_load(const LoadOptions& options, const Address& target, const Agents& agents, Monitor& monitor,
                     const Report& report) {
    StartLine line(options.threads.count, &agents, start_at(options));
    const std::function<void(const std::string&)> notify = [&](const std::string& text) { report.note(text); };
    const LoadRun run{options, target, agents, line, monitor, notify, options.one_way ? one_way_offset() : 0};
    Outcome mine = add_all(run_engines(options.common.engine, options.threads, Side::near, line, notify,
                                       [&](auto& loop, std::size_t engine) { return run_source(loop, engine, run); }));
    if (line.late() > 0) report.note(late_text(line.late()));
    return mine;
}

}  // namespace ringpost::apps
