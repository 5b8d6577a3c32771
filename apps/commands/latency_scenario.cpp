// latency --scenario: each engine has a ScenarioRunner and sockets of its own, and a share of one schedule. The run is
// reported as other runs of `latency` are, with sessions in place of probes; the times of single steps are added up at
// the end only, so that the copies during a run stay small.

#include "apps/commands/latency_scenario.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "apps/cli/random.hpp"
#include "apps/cli/text_lines.hpp"
#include "apps/commands/latency_engines.hpp"
#include "apps/commands/scenario_report.hpp"
#include "codec/traffic/scenario_runner.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

/// Flows beside those that sessions need while they wait: for round trips, and for those that rest after a failure.
constexpr std::uint32_t flows_spare = 256;

std::shared_ptr<const traffic::Scenario> read_scenario(const std::string& path) {
    const std::string where = "--scenario " + shown_value(path) + ": ";
    const auto contents = contents_of(path);
    if (!contents) throw Failure(Exit::usage, where + contents.error());
    const auto lines = text_lines(*contents);
    if (!lines) throw Failure(Exit::usage, where + lines.error());
    auto scenario = traffic::Scenario::parse(*lines);
    if (scenario) return std::make_shared<const traffic::Scenario>(std::move(*scenario));
    const traffic::ScenarioError& error = scenario.error();
    if (error.line == 0) throw Failure(Exit::usage, where + error.reason);
    constexpr std::size_t shown_max = 60;
    const std::string word = error.word.size() <= shown_max ? error.word : error.word.substr(0, shown_max) + "...";
    throw Failure(Exit::usage, fmt::format("{}line {}: {}: {}", where, error.line,
                                           word.empty() ? "at its end" : printable_line(word), error.reason));
}

/// As many flows as sessions run at a time, as far as that is known before.
std::uint32_t flows_for(const LatencyOptions& options) {
    const double waiting = options.rate * seconds(options.scenario->waits());
    const double running = options.rate > 0 ? 1.25 * waiting : 2.0 * options.window;
    return static_cast<std::uint32_t>(
        std::min(std::ceil(running) + flows_spare, static_cast<double>(limits::load_flows_max)));
}

void fill_sessions(const LatencyOptions& options, const traffic::ScenarioRunner& runner, const EngineCounters& engine,
                   Snapshot& now) {
    now.sent = runner.counters().sessions;
    now.received = runner.counters().completed;
    now.lost = static_cast<std::int64_t>(runner.counters().lost());
    now.engine = engine;
    now.socket_dropped = engine.socket_dropped;
    const std::size_t names = shape_of(options).histograms.size();
    now.histograms.resize(names);
    now.histograms[0] = runner.response();
    if (names < 3) return;
    now.histograms[1] = runner.service();
    now.histograms[2] = runner.slip();
}

template <class AnyLoop>
class ScenarioApplication {
  public:
    ScenarioApplication(AnyLoop& loop, traffic::ScenarioRunner& runner, const LatencyRun& run, std::size_t engine,
                        Instant start)
        : loop_(loop),
          runner_(runner),
          run_(run),
          engine_(engine),
          begin_(start + run.options.warm_up),
          look_(now(), look_every),
          ticker_(begin_ - second, second) {}

    void on_event(Instant, const traffic::ScenarioRunner::Event&) {}

    Instant on_turn(Instant at) {
        // Sessions that run when a signal arrives have a second to end.
        if (received_signal() != 0) {
            runner_.stop(at);
            give_up_at_ = std::min(give_up_at_, at + answers_linger);
        }
        if (run_.line.failed() || runner_.finished(at) || at >= give_up_at_) loop_.stop();
        const bool answered = runner_.counters().datagrams_received > 0;
        if (look_.tick(at) && !answered && loop_.backend().counters().unreachable > 0) {
            runner_.stop(at);
            loop_.stop();
        }
        if (ticker_.tick(at) && runner_.begins(at)) hand_over(at);
        return std::min({look_.next(), ticker_.next(), give_up_at_});
    }

    EngineCounters counters() const { return since_warm_up_.of(loop_.backend().counters()); }

  private:
    void hand_over(Instant at) {
        const bool first = !std::exchange(begun_, true);
        if (first && run_.options.warm_up == 0) return;
        if (first) since_warm_up_.begin(loop_.backend().counters());
        run_.monitor.hand_over(engine_, [&](Snapshot& now) {
            fill_sessions(run_.options, runner_, counters(), now);
            now.waiting = std::min<std::int64_t>(now.lost, runner_.active());
            now.elapsed_s = first ? 0 : seconds(at - begin_);
        });
    }

    AnyLoop& loop_;
    traffic::ScenarioRunner& runner_;
    const LatencyRun& run_;
    std::size_t engine_;
    Instant begin_;  ///< of the measurement
    Instant give_up_at_ = never;
    Ticker look_, ticker_;
    bool begun_ = false;
    SinceWarmUp since_warm_up_;
};

traffic::ScenarioOptions scenario_options(const LatencyRun& run, const Share& share, std::uint32_t flows) {
    const LatencyOptions& options = run.options;
    traffic::ScenarioOptions out{.scenario = options.scenario.get(),
                                 .share_index = share.index,
                                 .share_of = share.of,
                                 .window = std::max(1u, static_cast<std::uint32_t>(share.part(options.window))),
                                 .timeout = options.timeout,
                                 .warm_up = options.warm_up,
                                 .stop = options.duration == never ? never : options.warm_up + options.duration,
                                 .count = options.count == UINT64_MAX ? UINT64_MAX : share.part(options.count),
                                 .unix_offset = unix_offset(),
                                 .seed = random_value<std::uint64_t>(),
                                 .key = random_key(),
                                 .flows = flows};
    set_arrivals(out, options.arrivals, options.rate, 0);
    return out;
}

UdpSocket open_scenario_socket(const LatencyRun& run, std::uint64_t flow) {
    SocketOptions socket;
    socket.gro = false;
    socket.connect = run.target;
    UdpSocket opened = open_flow(run.options, socket, flow, run.options.flows * run.agents.count());
    const std::size_t least = std::max<std::size_t>(run.options.scenario->bytes_min(), 1);
    const auto sizes = traffic::Sizes::range(least, std::max(least, run.options.scenario->bytes_max()));
    if (flow == 0 && sizes) note_socket(run.options.sender, opened, nullptr, *sizes, run.notify);
    return opened;
}

template <class AnyLoop>
Outcome run_sessions(AnyLoop& loop, std::size_t engine, const LatencyRun& run) {
    const LatencyOptions& options = run.options;
    const auto [share, flows, first_flow] = part_of(run.agents, engine, options.threads.count, options.flows);
    std::optional<SignalWakes> wakes;
    if (engine == 0) wakes.emplace(loop.backend().waker());
    for (std::uint32_t i = 0; i < flows; ++i) loop.backend().add(open_scenario_socket(run, first_flow + i));
    loop.backend().enter(0);  // with many sockets, the first turn takes long
    traffic::ScenarioRunner runner(scenario_options(run, share, flows));
    const Instant start = run.line.ready();
    runner.postpone(start);
    ScenarioApplication application(loop, runner, run, engine, start);
    loop.run(runner, application);
    Outcome out;
    const EngineCounters counters = application.counters();
    fill_sessions(options, runner, counters, out.snapshot);
    const Instant end = end_of(options, {.begun = runner.counters().sessions,
                                         .count = share.part(options.count),
                                         .stop = runner.stop(),
                                         .last_begun_at = runner.last_begun_at(),
                                         .last_ended_at = runner.last_ended_at()});
    out.duration_s = out.snapshot.elapsed_s = seconds(std::max<Duration>(end - start - options.warm_up, 0));
    if (options.rate > 0)
        out.counts.update({{"due", runner.counters().sessions + runner.unsent()}, {"unsent", runner.unsent()}});
    add_scenario_counts(out, runner);
    add_engine_counts(out.counts, counters);
    out.facts = {
        {"backend", loop.backend().name}, {"granted", loop.backend().granted()}, {"gso", false}, {"gro", false}};
    note_send_error(out.facts, counters);
    return out;
}

}  // namespace

void add_scenario(CLI::App& command, LatencyOptions& options) {
    command
        .add_option("--scenario", options.scenario_file,
                    "file with the steps of a session, a line each: send, expect, wait, repeat; --rate then counts "
                    "sessions, --window those at a time (default none)")
        ->type_name("FILE");
}

void check_scenario(const CLI::App& command, LatencyOptions& options) {
    if (command.count("--scenario") == 0) return;
    for (const char* other : {"--size", "--payload", "--payload-hex", "--payload-file", "--payload-pcap", "--preset",
                              "--match", "--expect", "--expect-text", "--expect-size", "--stamps", "--mtu-search",
                              "--find-max", "--sweep", "--repeat", "--per-flow", "--interface"})
        if (command.count(other) > 0) throw CLI::ValidationError(fmt::format("{}: not with --scenario", other));
    if (options.transport.reliable())
        throw CLI::ValidationError(
            fmt::format("--transport {}: not with --scenario, whose steps are datagrams", options.transport.name()));
    if (options.arrivals.rate_bits > 0)
        throw CLI::ValidationError("--rate: with --scenario it counts sessions, not bits");
    for (const std::string& condition : options.verdict.fail_if)
        if (bounds_errors(condition))
            throw CLI::ValidationError(fmt::format(
                "--fail-if {}: not with --scenario, where a wrong reply fails its session; bound the loss", condition));
    options.scenario = read_scenario(options.scenario_file);
    const bool open = command.count("--rate") > 0 || command.count("--profile") > 0;
    if (!open && !options.ping_pong && options.window == 0) options.window = options.threads.count;
    const std::uint32_t window = std::max(options.window, 1u);
    if (options.flows == 0) options.flows = std::max(flows_for(options), options.threads.count);
    if (!open && options.flows < window)
        throw CLI::ValidationError(
            fmt::format("--flows {}: {} sessions at a time need one each", options.flows, window));
}

int run_scenario(const LatencyOptions& options, const Address& target, const Agents& agents, Report& report,
                 RunDirectory& directory, const std::function<void(const std::string&)>& notify) {
    if (is_multicast(target))
        throw Failure(Exit::usage, fmt::format("--to {}: --scenario is for one server, not a group", to_text(target)));
    Outcome mine = measure_engines(
        options, target, agents, report, directory, notify,
        [](auto& loop, std::size_t engine, const LatencyRun& run) { return run_sessions(loop, engine, run); });
    const Outcome all = join(agents, mine);
    Json summary = scenario_summary(options, all);
    if (!agents.alone()) summary.update({{"agents", agents.count()}, {"flows", options.flows * agents.count()}});
    print_scenario(report, options, agents, all, summary);
    const int verdict = print_verdict(report, summary, options.verdict);
    report.event("summary", summary);
    const Json kept = agents.alone() ? summary : scenario_summary(options, mine);
    mine.snapshot.histograms.resize(shape_of(options).histograms.size());
    directory.close(std::move(mine.snapshot), kept);
    if (summary["received"] > 0) return exit_code(verdict);
    if (received_signal() != 0) return exit_code(Exit::unreachable);
    const int code = explain_no_sessions(report, target, summary);
    return code == Exit::failed && verdict == Exit::breach ? verdict : code;
}

}  // namespace ringpost::apps
