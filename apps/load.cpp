// ringpost load: an open loop of datagrams at a fixed rate, or as fast as the kernel takes them.

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "apps/commands.hpp"
#include "apps/measuring/engines.hpp"
#include "apps/measuring/monitor.hpp"
#include "apps/measuring/options.hpp"
#include "apps/measuring/outcome.hpp"
#include "apps/one_way.hpp"
#include "apps/random.hpp"
#include "apps/self_peer.hpp"
#include "codec/load/duplex.hpp"
#include "engine/address.hpp"
#include "engine/clock.hpp"

namespace ringpost::apps {
namespace {

struct LoadOptions : MeasureOptions {
    Duration duration = 5 * second;
    bool verify = true;
    bool one_way = false;
    bool bidirectional = false;
};

/// How long the last answers of a load in both directions are waited for.
constexpr Duration answers_linger = 200 * millisecond;

/// The peer's port is closed when this is heard so soon after the start, with nothing known to have arrived.
constexpr Duration refused_early = 500 * millisecond;

/// What the engines of one run share.
struct LoadRun {
    const LoadOptions& options;
    const Address& target;
    const Agents& agents;
    StartLine& line;
    Monitor& monitor;
    Duration due_offset = 0;  ///< of --one-way
};

template <class AnyLoop>
class LoadApplication {
  public:
    struct Hooks {
        std::function<bool(Instant)> finished;      ///< there is nothing more to wait for
        std::function<void(Snapshot&)> write_down;  ///< what has been counted so far
    };
    LoadApplication(AnyLoop& loop, const LoadRun& run, std::size_t engine, Instant start, Hooks hooks)
        : loop_(loop),
          run_(run),
          engine_(engine),
          hooks_(std::move(hooks)),
          start_(start),
          look_(start, look_every),
          ticker_(start, second) {}

    void on_event(Instant, const load::Source::Event&) {}

    Instant on_turn(Instant at) {
        if (received_signal() != 0 || run_.line.failed() || hooks_.finished(at)) loop_.stop();
        if (look_.tick(at) && at < start_ + refused_early) {
            refused_ = loop_.backend().counters().unreachable > 0;
            if (refused_) loop_.stop();
        }
        if (ticker_.tick(at))
            run_.monitor.hand_over(engine_, [&](Snapshot& now) {
                hooks_.write_down(now);
                now.elapsed_s = seconds(at - start_);
            });
        return std::min(look_.next(), ticker_.next());
    }

    /// The peer said at once that nobody is there.
    bool refused() const { return refused_; }

  private:
    AnyLoop& loop_;
    const LoadRun& run_;
    std::size_t engine_;
    Hooks hooks_;
    Instant start_;
    Ticker look_, ticker_;
    bool refused_ = false;
};

/// A train must fit into the window as a whole.
std::size_t train_segments(const LoadOptions& options) {
    if (options.transport.gtudp)
        return std::min<std::size_t>(limits::train_segments_max,
                                     window_for(options.transport, options.sizes.largest()));
    return options.common.engine.gso ? limits::train_segments_max : 16;
}

RunShape shape_of(const LoadOptions& options) {
    RunShape shape{.command = "load",
                   .hears = options.threads.self,
                   .histograms = {},
                   .drop_datagrams_max = options.common.gro ? limits::train_segments_max : 1};
    if (options.rate > 0) shape.histograms.emplace_back("slip");
    if (options.transport.gtudp) shape.histograms.emplace_back("confirmed");
    return shape;
}

load::SourceOptions source_options(const LoadRun& run, const Share& share, std::uint32_t flows, Instant start) {
    const LoadOptions& options = run.options;
    load::SourceOptions out{.sizes = options.sizes,
                            .sizes_seed = random_value<std::uint64_t>(),
                            .flows = flows,
                            .stream = random_value<std::uint32_t>() & (load::answer_stream_bit / 2 - 1),
                            .share_index = share.index,
                            .share_of = share.of,
                            .train_segments = train_segments(options),
                            .verify = options.verify,
                            .due_offset = run.due_offset,
                            .stop = start + options.duration};
    set_arrivals(out, options.arrivals, options.rate, start);
    return out;
}

/// A Source, alone, with a sink for what comes back, or on the reliable layer, as one engine drives it.
struct Sourcing {
    load::Source source;
    std::optional<load::Sink> back;
    std::optional<load::Duplex> both_ways;
    std::optional<gtudp::Carried<load::Source>> carried;
    Instant stop;

    Sourcing(const LoadRun& run, const load::SourceOptions& options) : source(options), stop(options.stop) {
        if (run.options.bidirectional) {
            back.emplace(load::SinkOptions{.key = random_key(), .one_way = {}});
            both_ways.emplace(source, *back);
        }
        const TransportOptions& transport = run.options.transport;
        if (transport.gtudp)
            carried.emplace(source, gtudp::CarriedOptions{.wire = wire_options(transport),
                                                          .target = run.target,
                                                          .window = window_for(transport, options.sizes.largest())});
    }
    Sourcing(const Sourcing&) = delete;
    Sourcing& operator=(const Sourcing&) = delete;

    template <class AnyLoop, class Application>
    void run(AnyLoop& loop, Application& application) {
        if (carried) return loop.run(*carried, application);
        both_ways ? loop.run(*both_ways, application) : loop.run(source, application);
    }

    bool finished(Instant at) const {
        if (!source.finished(at)) return false;
        if (back) return back->counts().received >= source.sent() || at >= stop + answers_linger;
        return !carried || carried->wire().in_flight() == 0;
    }

    void write_down(const LoadOptions& options, const Counters& counters, Snapshot& now) const {
        // What the kernel took, or what was given to the reliable layer.
        now.sent = carried ? carried->wire().counts().taken : counters.sent;
        now.refused = counters.send_failed;
        now.histograms.resize(shape_of(options).histograms.size());
        std::size_t next = 0;
        if (options.rate > 0) now.histograms[next++] = source.slip();
        if (carried) now.histograms[next] = carried->confirmed();
    }

    Json counts() const {
        Json out = {{"bytes_sent", source.bytes_sent()}, {"unexpected", source.unexpected()}};
        if (carried) out.update(wire_counts(carried->wire().counts()));
        if (!back) return out;
        const load::SinkCounts seen = back->counts();
        out.update({{"back_received", seen.received},
                    {"back_lost", seen.lost},
                    {"back_duplicate", seen.duplicate},
                    {"back_reordered", seen.reordered},
                    {"back_corrupt", seen.corrupt}});
        return out;
    }
};

template <class AnyLoop>
Outcome run_source(AnyLoop& loop, std::size_t engine, const LoadRun& run) {
    const LoadOptions& options = run.options;
    const Share share{run.agents.rank() * options.threads.count + engine, run.agents.count() * options.threads.count};
    std::optional<SignalWakes> wakes;
    if (engine == 0) wakes.emplace(loop.backend().waker());
    const auto flows = static_cast<std::uint32_t>(Share{engine, options.threads.count}.part(options.flows));
    SocketOptions socket;
    socket.connect = run.target;
    socket.gro = (options.transport.gtudp || options.bidirectional) && options.common.gro;  // else nothing comes back
    for (std::uint32_t i = 0; i < flows; ++i) loop.backend().add(open_flow(options, socket));
    const Instant start = run.line.ready();
    Sourcing sourcing(run, source_options(run, share, flows, start));
    const load::Source& source = sourcing.source;
    const auto write_down = [&](Snapshot& now) { sourcing.write_down(options, loop.backend().counters(), now); };
    LoadApplication application(loop, run, engine, start,
                                {[&](Instant at) { return sourcing.finished(at); }, write_down});
    sourcing.run(loop, application);
    Outcome out;
    write_down(out.snapshot);
    const Instant end =
        sourcing.carried ? sourcing.carried->last_confirmed_at() : std::min(now(), start + options.duration);
    out.duration_s = out.snapshot.elapsed_s = seconds(std::max(end, start) - start);
    if (options.rate > 0) out.rate_share = rate_share_of(source.last_due() - start, source.last_sent_at() - start);
    const Counters counters = loop.backend().counters();
    out.counts = sourcing.counts();
    out.counts.update({{"refused", application.refused() ? 1 : 0}, {"trains", counters.sent_trains}});
    if (options.bidirectional) out.counts["back_socket_dropped"] = counters.socket_dropped;
    out.counts.update(engine_counts(counters));
    out.facts = {{"backend", loop.backend().name},
                 {"gso", loop.backend().sends_trains() && counters.trains_refused == 0}};
    note_send_error(out.facts, counters);
    return out;
}

double real_of(const Json& summary, const char* name) { return summary[name].get<double>(); }

/// The sender's view.
Json summary_of(const LoadOptions& options, const Outcome& of) {
    const std::uint64_t sent = of.snapshot.sent;
    Json summary = {{"sent", sent},
                    {"duration_s", of.duration_s},
                    {"rate_per_s", ratio(static_cast<double>(sent), of.duration_s)},
                    {"bits_per_s", ratio(of.counts["bytes_sent"].get<double>() * 8, of.duration_s)}};
    summary.update(of.facts);
    summary.update(of.counts);
    summary["refused"] = of.counts["refused"] > 0;
    const std::vector<Histogram>& histograms = of.snapshot.histograms;
    if (options.transport.gtudp) {
        summary["transport"] = "gtudp";
        summary["confirmed_per_s"] = ratio(real_of(summary, "confirmed"), of.duration_s);
        summary["confirmed_us"] = percentiles_us(histograms.back());
    }
    if (options.rate > 0) {
        summary["rate_asked"] = options.rate;
        summary["slip_us"] = percentiles_us(histograms[0]);
        judge(summary, of.rate_share, histograms[0], nullptr);
        add_arrivals(summary, options.arrivals);
    }
    return summary;
}

/// Both ends as one: what the sink saw replaces the sender's view where it knows better, and what never came is lost.
Json join_reports(Json sender, const Json& sink) {
    Json summary = {{"sent", sender["sent"]}};
    for (const char* name : {"received", "bytes"}) summary[name] = sink[name];
    const auto of = [&](const char* name) { return sink[name].get<std::int64_t>(); };
    // Anybody may send to the sink: what it took in good order beyond what was sent is not ours, and hides no loss.
    const std::int64_t missing =
        sender["sent"].get<std::int64_t>() - (of("received") - of("duplicate") - of("corrupt"));
    summary["lost"] = std::max<std::int64_t>(missing, 0);
    summary["foreign"] = std::max<std::int64_t>(-missing, 0);
    for (const char* name : {"duplicate", "reordered", "corrupt", "socket_dropped", "rate_per_s", "bits_per_s", "gro"})
        summary[name] = sink[name];
    // The messages' receiver knows what it delivered; what the wire sent and sent again is told of both ends.
    if (sink.contains("transport"))
        for (const char* name : {"delivered", "duplicates", "recv_sent", "recv_resends", "app_behind", "table_full",
                                 "recv_withheld", "forgotten_early"})
            sender[name] = sink[name];
    for (const char* name : {"one_way_us", "before_sent", "before_sent_max_us", "clock_apart"})
        if (sink.contains(name)) sender[name] = sink[name];
    if (sink.contains("answers_sent")) {
        // Here the last ones are known, too.
        for (const char* name : {"answers_sent", "answers_dropped"}) sender[name] = sink[name];
        const auto back = [&](const char* name) { return sender[name].get<std::int64_t>(); };
        sender["back_lost"] = std::max<std::int64_t>(
            back("answers_sent") - (back("back_received") - back("back_duplicate") - back("back_corrupt")), 0);
    }
    summary["sent_rate_per_s"] = sender["rate_per_s"];
    for (const char* name : {"sent", "rate_per_s", "bits_per_s", "unexpected"}) sender.erase(name);
    summary.update(sender);
    return summary;
}

void print_reliable(const Report& report, const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    report.print(fmt::format("confirmed {:>15} messages  {:>15}/s    gave up {}", count("confirmed"),
                             grouped(static_cast<std::uint64_t>(real_of(summary, "confirmed_per_s"))),
                             count("gave_up")));
    report.print(wire_text(summary));
    const Json& us = summary["confirmed_us"];
    if (us["p50"].is_null()) return;
    report.print(fmt::format("send to confirmed us: p50 {:.1f}  p99 {:.1f}  p99.9 {:.1f}  max {:.1f}",
                             real_of(us, "p50"), real_of(us, "p99"), real_of(us, "p999"), real_of(us, "max")));
}

void print_summary(const Report& report, const LoadOptions& options, const Agents& agents, const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    const auto real = [&](const char* name) { return summary[name].get<double>(); };
    const bool self = options.threads.self;
    report.print(fmt::format("{}{}, {}{}{} flow{}, {}, gso {}{}, {:.3f} s", sizes_text(options.sizes),
                             options.transport.gtudp ? ", gtudp" : "", agents_text(agents),
                             engines_text(options.threads), options.flows, options.flows == 1 ? "" : "s",
                             summary["backend"].get<std::string>(), summary["gso"].get<bool>() ? "on" : "off",
                             self ? (summary["gro"].get<bool>() ? ", gro on" : ", gro off") : "", real("duration_s")));
    const double sent_rate = real(self ? "sent_rate_per_s" : "rate_per_s");
    report.print(fmt::format("sent      {:>15} datagrams {:>15}/s", count("sent"),
                             grouped(static_cast<std::uint64_t>(sent_rate))));
    if (self) {
        report.print(fmt::format("received  {:>15} datagrams {:>15}/s {:>9.3f} Gbit/s{}", count("received"),
                                 grouped(static_cast<std::uint64_t>(real("rate_per_s"))), real("bits_per_s") / 1e9,
                                 options.verify ? ", each one verified" : ""));
        report.print(fmt::format("lost      {:>15} ({:.4f} %), receive buffer full {} times", count("lost"),
                                 100 * ratio(real("lost"), real("sent")), count("socket_dropped")));
        report.print(fmt::format("duplicate {}  reordered {}  corrupt {}", count("duplicate"), count("reordered"),
                                 count("corrupt")));
    }
    if (options.bidirectional)
        report.print(fmt::format(
            "came back {:>15} datagrams {:>15}/s    lost {}  duplicate {}  reordered {}  corrupt {}",
            count("back_received"), grouped(static_cast<std::uint64_t>(real("back_received") / real("duration_s"))),
            count("back_lost"), count("back_duplicate"), count("back_reordered"), count("back_corrupt")));
    if (summary.contains("one_way_us")) report.print(one_way_text(summary));
    if (options.transport.gtudp) print_reliable(report, summary);
    if (options.rate > 0 && !summary["slip_us"]["p50"].is_null())
        report.print(fmt::format("asked for {}; schedule slip us: p50 {:.1f}  p99 {:.1f}  max {:.1f}",
                                 arrivals_text(options.arrivals, options.rate), summary["slip_us"]["p50"].get<double>(),
                                 summary["slip_us"]["p99"].get<double>(), summary["slip_us"]["max"].get<double>()));
    if (summary["send_failed"].get<std::uint64_t>() > 0)
        report.print(fmt::format("not sent, refused by the kernel: {} (the last: {})", count("send_failed"),
                                 summary["last_send_error"].get<std::string>()));
    if (summary["unreachable"].get<std::uint64_t>() > 0)
        report.print(fmt::format("the peer's host or network said unreachable {} times", count("unreachable")));
}

/// The sink of --self.
int run_far_end(const LoadOptions& options, SharedCounts& counts, const SelfPeer::Tell& tell) {
    Report silent(Report::Form::silent);
    ServerOptions server{.common = options.common,
                         .transport = options.transport,
                         .bind = "127.0.0.1",
                         .threads = options.threads,
                         .end = End::far,
                         .verify = options.verify,
                         .one_way = options.one_way,
                         .bidirectional = options.bidirectional,
                         .linger = 20 * millisecond,
                         .counts = &counts};
    tell(run_sink(server, silent, [&](std::uint16_t port) { tell(std::to_string(port)); }).dump());
    return Exit::done;
}

/// The other end, when it is ours: a process on this machine.
struct FarEnd {
    SharedCounts counts;
    SelfPeer sink;

    explicit FarEnd(const LoadOptions& options)
        : sink([&](const SelfPeer::Tell& tell) { return run_far_end(options, counts, tell); }) {}

    Address address() const { return Address::v4(127, 0, 0, 1, static_cast<std::uint16_t>(std::stoul(sink.hear()))); }
    void add_to(Snapshot& now) const {
        const SharedCounts::Counts far = counts.sum();
        now.received = far.received;
        now.lost = static_cast<std::int64_t>(far.lost);
        now.socket_dropped = far.socket_dropped;
    }
    /// The sink's report.
    Json stop() const {
        sink.stop();
        return Json::parse(sink.hear());
    }
};

/// What this process's engines come to.
Outcome measure(const LoadOptions& options, const Address& target, const Agents& agents, Monitor& monitor,
                const Report& report) {
    StartLine line(options.threads.count, &agents, start_at(options));
    const LoadRun run{options, target, agents, line, monitor, options.one_way ? one_way_offset() : 0};
    const auto say = [&](const std::string& text) { report.say(text); };
    return add_all(run_engines(options.common.engine, options.threads, End::near, line, say,
                               [&](auto& loop, std::size_t engine) { return run_source(loop, engine, run); }));
}

int run_load(const LoadOptions& options, const Address& target, const FarEnd* far_end, const Agents& agents,
             Report& report) {
    if (agents.rank() > 0) report.silence();
    if (options.transport.gtudp && is_multicast(target))
        throw Failure(Exit::usage, fmt::format("--to {}: gtudp sends to one peer, not to a group", to_text(target)));
    if (far_end != nullptr && !agents.alone())
        throw Failure(Exit::usage, "--self: not under mpirun, where the sink is started by itself");
    RunDirectory directory(of_agent(options.run, agents.rank(), agents.count()), "load", report);
    const RunShape shape = shape_of(options);
    std::function<void(Snapshot&)> complete;
    if (far_end != nullptr) complete = [&](Snapshot& now) { far_end->add_to(now); };
    Monitor monitor({shape, options.threads.count, options.prometheus, complete}, report, &directory);
    directory.begin(shape);
    Outcome mine = measure(options, target, agents, monitor, report);
    Outcome all = join(agents, mine);
    Json summary = summary_of(options, all);
    if (far_end != nullptr) {
        summary = join_reports(summary, far_end->stop());
        for (Snapshot* end : {&mine.snapshot, &all.snapshot}) {
            end->received = summary["received"];
            end->lost = summary["lost"];
            end->socket_dropped = summary["socket_dropped"];
        }
        summary["lost_in"] = loss_json(shape, all.snapshot);
    }
    if (!agents.alone()) summary["agents"] = agents.count();
    monitor.finish(mine.snapshot);
    if (summary["trains_refused"] > 0)
        report.say("the path does not take trains (GSO): datagrams were sent one by one");
    print_summary(report, options, agents, summary);
    const int verdict = tell_verdict(report, summary, options.verdict);
    report.event("summary", summary);
    directory.close(std::move(mine.snapshot), agents.alone() ? summary : summary_of(options, mine));
    if (summary["refused"].get<bool>()) {
        report.say(to_text(target) + ": unreachable");
        return exit_code(Exit::unreachable);
    }
    if (summary["sent"].get<std::uint64_t>() > 0) return exit_code(verdict);
    report.say("nothing was sent: the duration ended before the first datagram was due, or the kernel refused all");
    return exit_code(Exit::failed);
}

int load_command(const LoadOptions& options) {
    Report report(options.common.json);
    choose_clock();
    std::optional<FarEnd> far_end;
    if (options.threads.self) far_end.emplace(options);
    const Address target = far_end ? far_end->address() : target_address(options.to);
    if (!far_end) refuse_foreign(target, options.multicast, options.vouched);
    if (options.one_way && !far_end) report.say(one_way_warning);
    return as_agents(
        [&](const Agents& agents) { return run_load(options, target, far_end ? &*far_end : nullptr, agents, report); });
}

}  // namespace

void add_load(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("load", "send datagrams at a fixed rate or as fast as possible");
    auto options = std::make_shared<LoadOptions>();
    add_measuring(*command, *options, "HOST:PORT or [IPv6]:PORT of a sink, or of any UDP server",
                  "run the sink too, on loopback and on another core");
    add_parsed(*command, "--size", options->sizes, parse_sizes,
               "bytes of payload: 64, 1400, 64..1400 (each alike), imix, or 64:7,576:4,1472:1 (default 64)");
    add_parsed(*command, "--rate", options->rate, parse_rate,
               "per second, all flows together: max, 100k, 2.5M (default max)");
    add_parsed(*command, "--duration", options->duration, parse_duration, "how long (default 5s)");
    auto* verify =
        command->add_flag("!--no-verify", options->verify, "send bytes that mean nothing: no sequence, no CRC");
    command->add_flag("--one-way", options->one_way, "due times by the wall clock, for a sink with --one-way")
        ->excludes(verify);
    command
        ->add_flag("--bidirectional", options->bidirectional,
                   "verify what a sink with --bidirectional, or an echo, sends back")
        ->excludes(verify);
    add_transport(*command, options->transport, {.window = true});
    add_common(*command, options->common, {.offload = true});
    command->callback([options, command, &chosen] {
        check_measuring(*command, *options);
        check_arrivals(*command, options->arrivals, options->rate, options->duration);
        if (options->verify && options->size < load::frame_bytes_min)
            throw CLI::ValidationError(
                fmt::format("--size {}: at least {} to carry a sequence and a CRC; --no-verify for less", options->size,
                            load::frame_bytes_min));
        chosen = [options] { return load_command(*options); };
    });
}

}  // namespace ringpost::apps
