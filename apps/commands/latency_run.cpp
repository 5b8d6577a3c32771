#include "apps/commands/latency_run.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "apps/cli/random.hpp"
#include "apps/commands/latency_engines.hpp"
#include "apps/measuring/flow_shares.hpp"
#include "apps/measuring/receivers.hpp"
#include "codec/traffic/prober.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/device_clock.hpp"
#include "engine/os/interface_facts.hpp"

namespace ringpost::apps {
namespace {

/// A Prober, alone or on the reliable layer, as one engine drives it.
struct ProberStack {
    traffic::Prober prober;
    Duration timeout = second;  ///< how long an answer is waited for
    std::optional<traffic::GtudpTunnel<traffic::Prober>> tunnel;
    std::unique_ptr<native::Qlog> log;
    std::optional<traffic::NativeTunnel<traffic::Prober>> sealed;

    bool finished(Instant at) {
        // After a signal, the last answers have a second at most.
        const Duration linger = received_signal() == 0 ? timeout : std::min(timeout, answers_linger);
        if (sealed && sealed->ended()) return true;
        if (!prober.finished(at, linger)) return false;
        if (sealed) {
            if (!sealed->closing()) sealed->close(at, at + answers_linger);
            return false;
        }
        return !tunnel || tunnel->wire().in_flight() == 0 || at >= prober.last_sent_at() + linger;
    }

    template <class AnyLoop, class Application>
    void run(AnyLoop& loop, Application& application) {
        if (sealed) return loop.run(*sealed, application);
        tunnel ? loop.run(*tunnel, application) : loop.run(prober, application);
    }

    void fill(const LatencyOptions& options, const EngineCounters& counters, Snapshot& now) const {
        now.sent = prober.counters().sent;
        now.received = prober.counters().received;
        now.lost = static_cast<std::int64_t>(prober.counters().lost());
        now.engine = counters;
        now.socket_dropped = counters.socket_dropped;
        if (sealed) fill_connection(now, sealed->path(), sealed->statistics());
        const std::vector<std::string> names = shape_of(options).histograms;
        now.histograms.resize(names.size());
        for (std::size_t i = 0; i < names.size(); ++i) now.histograms[i] = histogram(names[i]);
    }

    const Histogram& histogram(const std::string& name) const {
        if (name == "service") return prober.service();
        if (name == "path") return prober.path();
        if (name == "pickup") return prober.pickup();
        if (name == "slip") return prober.slip();
        return name == "confirmed" ? tunnel->confirmed() : prober.response();
    }
};

template <class AnyLoop>
class LatencyApplication {
  public:
    LatencyApplication(AnyLoop& loop, ProberStack& stack, const LatencyRun& run, std::size_t engine, Instant start)
        : loop_(loop),
          stack_(stack),
          run_(run),
          engine_(engine),
          begin_(start + run.options.warm_up),
          look_(now(), look_every),
          ticker_(begin_ - second, second) {}

    void on_event(Instant, const traffic::Prober::Event&) {}

    Instant on_turn(Instant at) {
        // Probes in flight when a signal arrives are not lost: wait for their answers, as at any end.
        if (received_signal() != 0) stack_.prober.stop(at);
        if (run_.line.failed() || stack_.finished(at)) loop_.stop();
        const bool answered = stack_.prober.counters().received > 0 || stack_.prober.answered_any();
        if (look_.tick(at) && !answered && loop_.backend().counters().unreachable > 0) {
            stack_.prober.stop(at);
            loop_.stop();
        }
        // No interval starts while the last answers arrive. They belong to the last one.
        if (ticker_.tick(at) && stack_.prober.sends(at)) hand_over(at);
        return std::min(look_.next(), ticker_.next());
    }

    EngineCounters counters() const { return since_warm_up_.of(loop_.backend().counters()); }

  private:
    void hand_over(Instant at) {
        const bool begins = !std::exchange(begun_, true);
        if (begins && run_.options.warm_up == 0) return;
        if (begins) since_warm_up_.begin(loop_.backend().counters());
        run_.monitor.hand_over(engine_, [&](Snapshot& now) {
            stack_.fill(run_.options, counters(), now);
            now.waiting = now.lost - static_cast<std::int64_t>(stack_.prober.missing());
            stack_.prober.mark();
            now.elapsed_s = begins ? 0 : seconds(at - begin_);
        });
    }

    AnyLoop& loop_;
    ProberStack& stack_;
    const LatencyRun& run_;
    std::size_t engine_;
    Instant begin_;  ///< of the measurement
    Ticker look_, ticker_;
    bool begun_ = false;
    SinceWarmUp since_warm_up_;
};

traffic::ProberOptions prober_options(const LatencyRun& run, const Share& share, std::uint32_t flows, Instant start) {
    const LatencyOptions& options = run.options;
    traffic::ProberOptions out{.sizes = options.sizes,
                               .sizes_seed = random_value<std::uint64_t>(),
                               .stream = random_value<std::uint32_t>(),
                               .share_index = share.index,
                               .share_of = share.of,
                               .window = std::max(1u, static_cast<std::uint32_t>(share.part(options.window))),
                               .timeout = options.timeout,
                               .warm_up = options.warm_up,
                               .stop = options.duration == never ? never : start + options.warm_up + options.duration,
                               .count = options.count == UINT64_MAX ? UINT64_MAX : share.part(options.count),
                               .dialect = options.probes.dialect.get(),
                               .unix_offset = unix_offset(),
                               .key = random_key(),
                               .flows = flows,
                               .destination = is_multicast(run.target) ? run.target : Address{},
                               .stamps = options.stamps != Stamps::none,
                               .by_receiver = is_multicast(run.target)};
    set_arrivals(out, options.arrivals, options.rate, start);
    return out;
}

/// The network device by which replies will arrive.
std::string stamping_device(const LatencyOptions& options, const Address& target) {
    std::string name = options.sender.socket.interface;
    if (name.empty() && is_multicast(target)) name = options.multicast.interface;
    if (name.empty()) {
        const auto source = source_address_toward(target);
        const auto facts = source ? interface_facts(*source) : std::nullopt;
        if (!facts) throw Failure(Exit::failed, "--stamps hardware: no device leads to " + to_text(target));
        name = facts->name;
    }
    if (const auto clock = DeviceClock::open(name); !clock)
        throw Failure(Exit::failed, fmt::format("--stamps hardware: {}; see --stamps kernel", clock.error().text));
    return name;
}

/// The members of a group answer from their own addresses, so the socket is not connected then.
UdpSocket open_stack_socket(const LatencyRun& run, std::uint64_t flow, const std::string& stamping_device) {
    SocketOptions socket;
    socket.gro = false;
    socket.stamps = run.options.stamps != Stamps::none;
    socket.stamping_device = stamping_device;
    if (!is_multicast(run.target)) {
        socket.connect = run.target;
        UdpSocket opened = open_flow(run.options, socket, flow, flows_of(run.options) * run.agents.count());
        if (flow == 0 && !run.options.transport.reliable() && !run.options.mtu_search)
            note_socket(run.options.sender, opened, run.options.probes.dialect.get(), run.options.sizes, run.notify);
        return opened;
    }
    socket.bind = run.target.family == Family::v4 ? Address::v4(0, 0, 0, 0, 0) : any_address(0);
    UdpSocket opened = open_flow(run.options, socket, flow, flows_of(run.options) * run.agents.count());
    set_multicast(opened, run.target, run.options.multicast);
    return opened;
}

template <class AnyLoop>
Outcome run_prober(AnyLoop& loop, std::size_t engine, const LatencyRun& run) {
    const LatencyOptions& options = run.options;
    const auto [share, flows, first_flow] = part_of(run.agents, engine, options.threads.count, flows_of(options));
    std::optional<SignalWakes> wakes;
    if (engine == 0) wakes.emplace(loop.backend().waker());
    const std::string device = options.stamps == Stamps::hardware ? stamping_device(options, run.target) : "";
    std::vector<FlowCount> counted(flows);
    for (std::uint32_t i = 0; i < flows; ++i) {
        UdpSocket opened = open_stack_socket(run, first_flow + i, device);
        counted[i].port = opened.local().port;
        loop.backend().add(std::move(opened));
    }
    loop.backend().enter(0);  // with many sockets, the first turn takes long
    // Allocates the tables before the start is known; there is no time for it afterwards.
    ProberStack stack{.prober = traffic::Prober(prober_options(run, share, flows, 0)),
                      .timeout = options.timeout,
                      .tunnel = {},
                      .log = client_log(options.transport),
                      .sealed = {}};
    if (options.transport.gtudp())
        stack.tunnel.emplace(stack.prober,
                             traffic::GtudpTunnelOptions{
                                 .wire = wire_options(options.transport), .target = run.target, .train_segments = 1});
    if (options.transport.native())
        stack.sealed.emplace(stack.prober, tunnel_to(run.target, options.transport, stack.log.get()));
    const Instant start = run.line.ready();
    stack.prober.postpone(start);
    const traffic::Prober& prober = stack.prober;
    LatencyApplication application(loop, stack, run, engine, start);
    stack.run(loop, application);
    Outcome out;
    const EngineCounters counters = application.counters();
    stack.fill(options, counters, out.snapshot);
    const Instant end = end_of(options, {.begun = prober.counters().sent,
                                         .count = share.part(options.count),
                                         .stop = prober.stop(),
                                         .last_begun_at = prober.last_sent_at(),
                                         .last_ended_at = prober.last_answered_at()});
    out.duration_s = out.snapshot.elapsed_s = seconds(std::max<Duration>(end - start - options.warm_up, 0));
    const traffic::ProberCounters& counts = prober.counters();
    out.counts = {{"duplicate", counts.duplicate},
                  {"reordered", counts.reordered},
                  {"corrupt", counts.corrupt},
                  {"foreign", counts.foreign}};
    if (options.rate > 0)
        out.counts.update({{"due", counts.sent + prober.unsent()},
                           {"unsent", prober.unsent()},
                           {"service_unknown", counts.service_unknown}});
    if (options.stamps != Stamps::none) out.counts["unstamped"] = counts.unstamped;
    for (std::uint32_t i = 0; i < flows; ++i) {
        counted[i].sent = prober.sent_by_flow()[i];
        counted[i].answered = prober.answered_by_flow()[i];
    }
    if (flows_of(options) > 1 && !options.transport.reliable()) add_flow_counts(out.counts, first_flow, counted);
    if (const auto* receivers = prober.receivers()) add_receiver_counts(out.counts, *receivers);
    add_counters(out.counts, "prober", counts);
    add_match_counts(out.counts, options.probes, prober);
    if (stack.tunnel) add_wire_counts(out.counts, stack.tunnel->wire().counters());
    if (stack.sealed) add_native_counts(out.counts, stack.sealed->wire());
    add_engine_counts(out.counts, counters);
    out.facts = {
        {"backend", loop.backend().name}, {"granted", loop.backend().granted()}, {"gso", false}, {"gro", false}};
    if (stack.sealed) out.facts["path"] = path_json(stack.sealed->path());
    note_send_error(out.facts, counters);
    return out;
}

}  // namespace

std::uint32_t flows_of(const LatencyOptions& options) {
    if (options.flows_given || options.transport.reliable()) return options.flows;
    return std::max(options.flows, preset_flows(options.probes, options.rate, options.timeout));
}

RunShape shape_of(const LatencyOptions& options) {
    RunShape shape{.command = "latency",
                   .connected = options.transport.native(),
                   .histograms = {"response"},
                   .lost_is_unanswered = true};
    if (options.rate > 0) shape.histograms.emplace_back("service");
    if (options.stamps != Stamps::none) shape.histograms.insert(shape.histograms.end(), {"path", "pickup"});
    if (options.rate > 0) shape.histograms.emplace_back("slip");
    if (options.transport.gtudp()) shape.histograms.emplace_back("confirmed");
    return shape;
}

Outcome measure_latency(const LatencyOptions& options, const Address& target, const Agents& agents, Report& report,
                        RunDirectory& directory, const std::function<void(const std::string&)>& notify) {
    return measure_engines(
        options, target, agents, report, directory, notify,
        [](auto& loop, std::size_t engine, const LatencyRun& run) { return run_prober(loop, engine, run); });
}

}  // namespace ringpost::apps
