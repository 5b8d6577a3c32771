// ringpost load: an open loop of datagrams at a fixed rate, or as fast as the kernel takes them.

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>

#include "apps/arrivals.hpp"
#include "apps/commands.hpp"
#include "apps/random.hpp"
#include "apps/self_peer.hpp"
#include "apps/verdict.hpp"
#include "codec/load/source.hpp"
#include "engine/address.hpp"

namespace ringpost::apps {
namespace {

struct LoadOptions {
    CommonOptions common;
    TransportOptions transport;
    std::string to;
    bool self = false;
    std::uint64_t size = 64;
    double rate = 0;
    ArrivalOptions arrivals;
    VerdictOptions verdict;
    Duration duration = 5 * second;
    std::uint32_t flows = 1;
    bool verify = true;
    bool vouched = false;
};

/// The peer's port is closed when this is heard so soon after the start, with nothing known to have arrived.
constexpr Duration refused_early = 500 * millisecond;

template <class AnyLoop>
class LoadApplication {
  public:
    /// finished(Instant): there is nothing more to wait for.
    LoadApplication(AnyLoop& loop, const load::Source& source, std::function<bool(Instant)> finished, Instant start,
                    Report& report)
        : loop_(loop),
          source_(source),
          finished_(std::move(finished)),
          report_(report),
          start_(start),
          look_(start, look_every),
          ticker_(start, second) {}

    void on_event(Instant, const load::Source::Event&) {}

    Instant on_turn(Instant at) {
        if (received_signal() != 0 || finished_(at)) loop_.stop();
        if (look_.tick(at) && at < start_ + refused_early) {
            refused_ = loop_.backend().counters().unreachable > 0;
            if (refused_) loop_.stop();
        }
        if (const auto elapsed_s = ticker_.tick(at)) {
            const double rate = static_cast<double>(source_.sent() - reported_) / *elapsed_s;
            reported_ = source_.sent();
            report_.progress(fmt::format("{:>4.0f} s {:>13} datagrams/s sent", seconds(at - start_),
                                         grouped(static_cast<std::uint64_t>(rate))));
            report_.event("progress", {{"elapsed_s", seconds(at - start_)}, {"sent", reported_}, {"rate_per_s", rate}});
        }
        return std::min(look_.next(), ticker_.next());
    }

    /// The peer said at once that nobody is there.
    bool refused() const { return refused_; }

  private:
    AnyLoop& loop_;
    const load::Source& source_;
    std::function<bool(Instant)> finished_;
    Report& report_;
    Instant start_;
    Ticker look_, ticker_;
    std::uint64_t reported_ = 0;
    bool refused_ = false;
};

double real_of(const Json& summary, const char* name) { return summary[name].get<double>(); }

/// A train must fit into the window as a whole.
std::size_t train_segments(const LoadOptions& options) {
    if (options.transport.gtudp)
        return std::min<std::size_t>(limits::train_segments_max, window_for(options.transport, options.size));
    return options.common.engine.gso ? limits::train_segments_max : 16;
}

template <class AnyLoop>
Json run_source(AnyLoop& loop, const LoadOptions& options, const Address& target, Report& report) {
    const SignalWakes wakes(loop.backend().waker());
    for (std::uint32_t i = 0; i < options.flows; ++i) {
        SocketOptions socket;
        socket.connect = target;
        socket.gro = options.transport.gtudp && options.common.gro;  // raw, nothing comes back
        auto opened = UdpSocket::open(socket);
        if (!opened && opened.error().code == EMFILE)
            throw Failure(Exit::failed, fmt::format("--flows {}: {}", options.flows, opened.error().text));
        loop.backend().add(value_or_fail(std::move(opened)));
    }
    const Instant start = now() + settle;
    load::Source source({.sizes = load::Sizes::fixed(options.size),
                         .flows = options.flows,
                         .stream = random_value<std::uint32_t>(),
                         .rate_per_s = options.rate,
                         .arrivals = options.arrivals.arrivals,
                         .arrivals_seed = options.arrivals.seed,
                         .burst = options.arrivals.burst,
                         .profile = options.arrivals.profile_or_null(),
                         .train_segments = train_segments(options),
                         .verify = options.verify,
                         .start = start,
                         .stop = start + options.duration});
    std::optional<gtudp::Carried<load::Source>> carried;
    if (options.transport.gtudp)
        carried.emplace(source, gtudp::CarriedOptions{.wire = wire_options(options.transport),
                                                      .target = target,
                                                      .window = window_for(options.transport, options.size)});
    const auto finished = [&](Instant at) {
        return source.finished(at) && (!carried || carried->wire().in_flight() == 0);
    };
    LoadApplication application(loop, source, finished, start, report);
    if (carried)
        loop.run(*carried, application);
    else
        loop.run(source, application);
    report.end_progress();
    const Counters engine = loop.backend().counters();
    if (engine.trains_refused > 0) report.say("the path does not take trains (GSO): datagrams were sent one by one");
    const Instant end = carried ? carried->last_confirmed_at() : std::min(now(), start + options.duration);
    const double duration_s = seconds(std::max(end, start) - start);
    // What the kernel took, or what was given to the reliable layer.
    const std::uint64_t sent = carried ? carried->wire().counts().taken : engine.sent;
    Json summary = {{"sent", sent},
                    {"duration_s", duration_s},
                    {"rate_per_s", ratio(static_cast<double>(sent), duration_s)},
                    {"bits_per_s", ratio(static_cast<double>(sent * options.size) * 8, duration_s)},
                    {"backend", loop.backend().name},
                    {"gso", loop.backend().sends_trains() && engine.trains_refused == 0},
                    {"refused", application.refused()},
                    {"trains", engine.sent_trains},
                    {"unexpected", source.unexpected()}};
    if (carried) {
        add_wire(summary, carried->wire().counts());
        summary["confirmed_per_s"] = ratio(real_of(summary, "confirmed"), duration_s);
        summary["confirmed_us"] = percentiles_us(carried->confirmed());
    }
    if (options.rate > 0) {
        summary["rate_asked"] = options.rate;
        summary["slip_us"] = percentiles_us(source.slip());
        judge(summary, {.start = start,
                        .last_due = source.last_due(),
                        .last_sent_at = source.last_sent_at(),
                        .slip = &source.slip()});
        add_arrivals(summary, options.arrivals);
    }
    add_counters(summary, engine);
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

void print_summary(const Report& report, const LoadOptions& options, const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    const auto real = [&](const char* name) { return summary[name].get<double>(); };
    report.print(fmt::format("{} B{}, {} flow{}, {}, gso {}{}, {:.3f} s", options.size,
                             options.transport.gtudp ? ", gtudp" : "", options.flows, options.flows == 1 ? "" : "s",
                             summary["backend"].get<std::string>(), summary["gso"].get<bool>() ? "on" : "off",
                             options.self ? (summary["gro"].get<bool>() ? ", gro on" : ", gro off") : "",
                             real("duration_s")));
    const double sent_rate = real(options.self ? "sent_rate_per_s" : "rate_per_s");
    report.print(fmt::format("sent      {:>15} datagrams {:>15}/s", count("sent"),
                             grouped(static_cast<std::uint64_t>(sent_rate))));
    if (options.self) {
        report.print(fmt::format("received  {:>15} datagrams {:>15}/s {:>9.3f} Gbit/s{}", count("received"),
                                 grouped(static_cast<std::uint64_t>(real("rate_per_s"))), real("bits_per_s") / 1e9,
                                 options.verify ? ", each one verified" : ""));
        report.print(fmt::format("lost      {:>15} ({:.4f} %), receive buffer full {} times", count("lost"),
                                 100 * ratio(real("lost"), real("sent")), count("socket_dropped")));
        report.print(fmt::format("duplicate {}  reordered {}  corrupt {}", count("duplicate"), count("reordered"),
                                 count("corrupt")));
    }
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

/// A flow is a descriptor, and shells start us with few.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int load_command(LoadOptions options) {
    if (options.verify && options.size < load::frame_bytes_min)
        throw Failure(Exit::usage,
                      fmt::format("--size {}: at least {} to carry a sequence and a CRC; --no-verify for less",
                                  options.size, load::frame_bytes_min));
    Report report(options.common.json);
    raise_descriptor_limit();
    std::optional<SelfPeer> sink;
    Address target;
    if (options.self) {
        sink.emplace([&](const SelfPeer::Tell& tell) {
            Report child(Report::Form::silent);
            ServerOptions server{.common = options.common,
                                 .transport = options.transport,
                                 .bind = "127.0.0.1",
                                 .verify = options.verify,
                                 .linger = 20 * millisecond};
            tell(run_sink(server, child, [&](std::uint16_t port) { tell(std::to_string(port)); }).dump());
            return Exit::done;
        });
        target = Address::v4(127, 0, 0, 1, static_cast<std::uint16_t>(std::stoul(sink->hear())));
    } else {
        target = target_address(options.to);
        refuse_foreign(target, options.vouched);
    }
    const auto say = [&](const std::string& text) { report.say(text); };
    Json summary = value_or_fail(
        with_loop(options.common.engine, say, [&](auto& loop) { return run_source(loop, options, target, report); }));
    if (sink) {
        sink->stop();
        summary = join_reports(summary, Json::parse(sink->hear()));
    }
    print_summary(report, options, summary);
    const int verdict = tell_verdict(report, summary, options.verdict);
    report.event("summary", summary);
    if (summary["refused"].get<bool>()) {
        report.say(to_text(target) + ": unreachable");
        return exit_code(Exit::unreachable);
    }
    if (summary["sent"].get<std::uint64_t>() > 0) return exit_code(verdict);
    report.say("nothing was sent: the duration ended before the first datagram was due, or the kernel refused all");
    return exit_code(Exit::failed);
}

}  // namespace

void add_load(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("load", "send datagrams at a fixed rate or as fast as possible");
    auto options = std::make_shared<LoadOptions>();
    auto* to = command->add_option("--to", options->to, "HOST:PORT or [IPv6]:PORT of a sink, or of any UDP server");
    auto* self = command->add_flag("--self", options->self, "run the sink too, on loopback and on another core");
    self->excludes(to);
    add_parsed(*command, "--size", options->size, parse_datagram_size, "bytes of payload (default 64)");
    add_parsed(*command, "--rate", options->rate, parse_rate,
               "per second, all flows together: max, 100k, 2.5M (default max)");
    add_arrivals(*command, options->arrivals);
    add_parsed(*command, "--duration", options->duration, parse_duration, "how long (default 5s)");
    add_parsed(*command, "--flows", options->flows, parse_flows, "source ports to send from (default 1)");
    command->add_flag("!--no-verify", options->verify, "send bytes that mean nothing: no sequence, no CRC");
    command->add_flag("--i-own-this-network", options->vouched,
                      "allow a target that is not loopback, private or link-local");
    add_verdict(*command, options->verdict);
    add_transport(*command, options->transport, {.window = true});
    add_common(*command, options->common, {.offload = true});
    command->callback([options, command, &chosen] {
        check_transport(options->transport);
        parse_conditions(options->verdict.fail_if);
        check_arrivals(*command, options->arrivals, options->rate, options->duration);
        if (options->transport.gtudp && options->flows > 1)
            throw CLI::ValidationError(fmt::format("--flows {}: gtudp sends from one", options->flows));
        if (options->to.empty() && !options->self)
            throw CLI::ValidationError("one of --to HOST:PORT and --self is required");
        chosen = [options] { return load_command(*options); };
    });
}

}  // namespace ringpost::apps
