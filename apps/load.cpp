// ringpost load: an open loop of datagrams at a fixed rate, or as fast as the kernel takes them.

#include <fmt/core.h>

#include <optional>

#include "apps/commands.hpp"
#include "apps/random.hpp"
#include "apps/self_peer.hpp"
#include "codec/load/source.hpp"
#include "engine/address.hpp"

namespace ringpost::apps {
namespace {

struct LoadOptions {
    CommonOptions common;
    std::string to;
    bool self = false;
    std::uint64_t size = 64;
    double rate = 0;
    Duration duration = 5 * second;
    std::uint32_t flows = 1;
    bool verify = true;
    bool vouched = false;
};

/// The peer's port is closed when this is heard so soon after the start, with nothing known to have arrived.
constexpr Duration refused_early = 500 * millisecond;
constexpr Duration tick = 100 * millisecond;

template <class AnyLoop>
class LoadApplication {
  public:
    LoadApplication(AnyLoop& loop, const load::Source& source, Instant start, Report& report)
        : loop_(loop), source_(source), report_(report), start_(start), next_tick_(start + tick) {}

    void on_event(Instant, const load::Source::Event&) {}

    Instant on_turn(Instant at) {
        if (StopSignals::received() != 0 || source_.finished(at)) loop_.stop();
        if (at < next_tick_) return next_tick_;
        next_tick_ += tick;
        if (at < start_ + refused_early && loop_.backend().counters().unreachable > 0) loop_.stop();
        if (++ticks_ % (second / tick) == 0) {
            const std::uint64_t fresh = source_.sent() - reported_;
            reported_ = source_.sent();
            report_.progress(fmt::format("{:>4.0f} s {:>13} datagrams/s sent", seconds(at - start_), grouped(fresh)));
            report_.event("progress", {{"elapsed_s", seconds(at - start_)}, {"sent", fresh}});
        }
        return next_tick_;
    }

  private:
    AnyLoop& loop_;
    const load::Source& source_;
    Report& report_;
    Instant start_, next_tick_;
    std::uint64_t ticks_ = 0, reported_ = 0;
};

template <class AnyLoop>
Json run_source(AnyLoop& loop, const LoadOptions& options, const Address& target, Report& report) {
    const StopSignals signals(loop.backend().waker());
    for (std::uint32_t i = 0; i < options.flows; ++i) {
        SocketOptions socket;
        socket.connect = target;
        socket.gro = false;
        loop.backend().add(value_or_fail(UdpSocket::open(socket)));
    }
    const Instant start = now();
    load::Source source({.datagram_bytes = options.size,
                         .flows = options.flows,
                         .stream = random_value<std::uint32_t>(),
                         .rate_per_s = options.rate,
                         .train_segments = options.common.engine.gso ? limits::train_segments_max : 16,
                         .verify = options.verify,
                         .start = start,
                         .stop = start + options.duration});
    LoadApplication application(loop, source, start, report);
    loop.run(source, application);
    report.end_progress();
    const double duration_s = seconds(std::min(now(), start + options.duration) - start);
    const Counters engine = loop.backend().counters();
    const std::uint64_t sent = engine.sent;  // what the kernel took
    if (engine.trains_refused > 0) report.say("the path does not take trains (GSO): datagrams were sent one by one");
    Json summary = {{"sent", sent},
                    {"duration_s", duration_s},
                    {"rate_per_s", ratio(static_cast<double>(sent), duration_s)},
                    {"bits_per_s", ratio(static_cast<double>(sent * options.size) * 8, duration_s)},
                    {"backend", loop.backend().name},
                    {"gso", engine.sent_trains < engine.sent},
                    {"trains", engine.sent_trains},
                    {"unexpected", source.unexpected()}};
    if (options.rate > 0) {
        summary["rate_asked"] = options.rate;
        summary["slip_us"] = percentiles_us(source.slip());
    }
    add_counters(summary, engine);
    return summary;
}

/// Both ends as one: what the sink saw replaces the sender's view where it knows better, and what never came is lost.
Json join_reports(Json sender, const Json& sink) {
    Json summary = {{"sent", sender["sent"]}};
    for (const char* name : {"received", "bytes"}) summary[name] = sink[name];
    const auto of = [&](const char* name) { return sink[name].get<std::int64_t>(); };
    summary["lost"] = sender["sent"].get<std::int64_t>() - (of("received") - of("duplicate") - of("corrupt"));
    for (const char* name : {"duplicate", "reordered", "corrupt", "socket_dropped", "rate_per_s", "bits_per_s", "gro"})
        summary[name] = sink[name];
    summary["sent_rate_per_s"] = sender["rate_per_s"];
    for (const char* name : {"sent", "rate_per_s", "bits_per_s", "unexpected"}) sender.erase(name);
    summary.update(sender);
    return summary;
}

void print_summary(const Report& report, const LoadOptions& options, const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    const auto real = [&](const char* name) { return summary[name].get<double>(); };
    report.print(fmt::format(
        "{} B, {} flow{}, {}, gso {}{}, {:.3f} s", options.size, options.flows, options.flows == 1 ? "" : "s",
        summary["backend"].get<std::string>(), summary["gso"].get<bool>() ? "on" : "off",
        options.self ? (summary["gro"].get<bool>() ? ", gro on" : ", gro off") : "", real("duration_s")));
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
    if (options.rate > 0)
        report.print(fmt::format("schedule slip us: p50 {:.1f}  p99 {:.1f}  max {:.1f}",
                                 summary["slip_us"]["p50"].get<double>(), summary["slip_us"]["p99"].get<double>(),
                                 summary["slip_us"]["max"].get<double>()));
    if (summary["send_failed"].get<std::uint64_t>() > 0)
        report.print(fmt::format("not sent, refused by the kernel: {}", count("send_failed")));
}

int load_command(LoadOptions options) {
    if (options.verify && options.size < load::frame_bytes_min)
        throw Failure(Exit::usage,
                      fmt::format("--size {}: at least {} to carry a sequence and a CRC; --no-verify for less",
                                  options.size, load::frame_bytes_min));
    Report report(options.common.json);
    std::optional<SelfPeer> sink;
    Address target;
    if (options.self) {
        sink.emplace([&](const SelfPeer::Tell& tell) {
            Report child(Report::Form::silent);
            ServerOptions server{
                .common = options.common, .bind = "127.0.0.1", .verify = options.verify, .linger = 20 * millisecond};
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
    report.event("summary", summary);
    if (summary["unreachable"].get<std::uint64_t>() > 0) {
        report.say(fmt::format("{}: unreachable (the peer's host or network said so {} times)", to_text(target),
                               summary["unreachable"].get<std::uint64_t>()));
        return exit_code(Exit::unreachable);
    }
    return exit_code(summary["sent"].get<std::uint64_t>() > 0 ? Exit::done : Exit::failed);
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
    add_parsed(*command, "--duration", options->duration, parse_duration, "how long (default 5s)");
    command->add_option("--flows", options->flows, "source ports to send from (default 1)")
        ->check(CLI::Range(1u, limits::load_flows_max));
    command->add_flag("!--no-verify", options->verify, "send bytes that mean nothing: no sequence, no CRC");
    command->add_flag("--i-own-this-network", options->vouched,
                      "allow a target that is not loopback, private or link-local");
    add_common(*command, options->common, {.offload = true});
    command->callback([options, &chosen] {
        if (options->to.empty() && !options->self)
            throw CLI::ValidationError("one of --to HOST:PORT and --self is required");
        chosen = [options] { return load_command(*options); };
    });
}

}  // namespace ringpost::apps
