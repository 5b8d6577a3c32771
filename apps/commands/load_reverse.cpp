// ringpost load --reverse: the sink sends, this end receives and verifies.

#include "apps/commands/load_reverse.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "apps/cli/random.hpp"
#include "apps/cli/run_on_loop.hpp"
#include "apps/cli/sizes.hpp"
#include "apps/measuring/engines.hpp"
#include "apps/runs/figures.hpp"
#include "codec/traffic/reverse_receiver.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

using SinkReceiver = traffic::ReverseReceiver;

template <class AnyLoop>
class ReverseApplication {
  public:
    ReverseApplication(AnyLoop& loop, SinkReceiver& receiver, Monitor& monitor)
        : loop_(loop), receiver_(receiver), monitor_(monitor), start_(now()), ticker_(start_, second) {}

    void on_event(Instant, const SinkReceiver::Event&) {}

    Instant on_turn(Instant at) {
        if (received_signal() != 0) receiver_.stop(at);
        refused_ = loop_.backend().counters().unreachable > 0 && receiver_.rate_per_ks() == 0;
        if (refused_ || receiver_.end() != SinkReceiver::End::none) loop_.stop();
        if (ticker_.tick(at)) monitor_.hand_over(0, [&](Snapshot& now) { fill(now, at); });
        return ticker_.next();
    }

    void fill(Snapshot& now, Instant at) const {
        now.elapsed_s = seconds(at - start_);
        now.engine = loop_.backend().counters();
        now.received = receiver_.sink().counters().received;
        now.lost = static_cast<std::int64_t>(receiver_.sink().counters().lost);
        now.socket_dropped = now.engine.socket_dropped;
    }
    bool refused() const { return refused_; }

  private:
    AnyLoop& loop_;
    SinkReceiver& receiver_;
    Monitor& monitor_;
    Instant start_;
    Ticker ticker_;
    bool refused_ = false;
};

struct ReverseOutcome {
    Json summary;
    SinkReceiver::End end = SinkReceiver::End::none;
};

Json reverse_summary(const LoadOptions& options, const SinkReceiver& receiver) {
    const traffic::SinkCounters counts = receiver.sink().counters();
    const double duration_s = counts.received > 0 ? seconds(counts.last_at - counts.first_at) : 0;
    const double rate_per_s = ratio(static_cast<double>(counts.received - counts.at_first), duration_s);
    constexpr double per_ks = 1'000;
    Json summary = {
        {"reverse", true},
        {"received", counts.received},
        {"bytes", counts.bytes},
        {"duplicate", counts.duplicate},
        {"reordered", counts.reordered},
        {"corrupt", counts.corrupt},
        {"duration_s", duration_s},
        {"rate_per_s", rate_per_s},
        {"bits_per_s", ratio(rate_per_s * static_cast<double>(counts.bytes) * 8, static_cast<double>(counts.received))},
        {"rate_granted_per_s", static_cast<double>(receiver.rate_per_ks()) / per_ks}};
    if (options.rate > 0) summary["rate_asked"] = options.rate;
    if (receiver.end() == SinkReceiver::End::complete) {
        const std::uint64_t intact = counts.received - counts.duplicate - counts.corrupt;
        summary["sent"] = receiver.sent();
        summary["lost"] = receiver.sent() - std::min(receiver.sent(), intact);
    }
    add_counters(summary, "sink", counts);
    return summary;
}

template <class AnyLoop>
ReverseOutcome receive(AnyLoop& loop, UdpSocket socket, const LoadOptions& options, Monitor& monitor) {
    const SignalWakes wakes(loop.backend().waker());
    const bool gro = socket.gro();
    loop.backend().add(std::move(socket));
    constexpr double per_ks = 1'000;
    SinkReceiver receiver({.stream = random_value<std::uint32_t>() & (traffic::answer_stream_bit - 1),
                           .key = random_key(),
                           .request = {.rate_per_ks = static_cast<std::uint64_t>(std::llround(options.rate * per_ks)),
                                       .frame_bytes = options.sizes.largest(),
                                       .duration_ns = static_cast<std::uint64_t>(options.duration)},
                           .start = now()});
    ReverseApplication application(loop, receiver, monitor);
    loop.run(receiver, application);
    Snapshot end;
    application.fill(end, now());
    monitor.finish(end);
    ReverseOutcome out{.summary = reverse_summary(options, receiver), .end = receiver.end()};
    const EngineCounters counters = loop.backend().counters();
    out.summary["refused"] = application.refused();
    out.summary["socket_dropped"] = counters.socket_dropped;
    add_counters(out.summary, counters);
    out.summary.update({{"backend", loop.backend().name}, {"gro", gro}});
    return out;
}

void print_reverse(const Report& report, const LoadOptions& options, const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    const auto real = [&](const char* name) { return summary[name].get<double>(); };
    report.print(fmt::format("{}, sent by the sink, {}, gro {}, {:.3f} s", sizes_text(options.sizes),
                             summary["backend"].get<std::string>(), summary["gro"].get<bool>() ? "on" : "off",
                             real("duration_s")));
    if (summary.contains("sent"))
        report.print(fmt::format("sent      {:>15} datagrams, as the sink reports, at most {}", count("sent"),
                                 grouped_rate_text(real("rate_granted_per_s"))));
    report.print(fmt::format("received  {:>15} datagrams {:>17} {:>9.3f} Gbit/s, each one verified", count("received"),
                             grouped_rate_text(real("rate_per_s")), real("bits_per_s") / 1e9));
    if (summary.contains("lost"))
        report.print(fmt::format("lost      {:>15} ({:.4f} %), receive buffer full {} times", count("lost"),
                                 100 * ratio(real("lost"), real("sent")), count("socket_dropped")));
    report.print(fmt::format("duplicate {}  reordered {}  corrupt {}", count("duplicate"), count("reordered"),
                             count("corrupt")));
}

/// Notes why the run is not what was asked for, and returns the exit code.
int ending(const Report& report, const Address& target, SinkReceiver::End end, int verdict) {
    const std::string to = to_text(target);
    switch (end) {
        case SinkReceiver::End::complete: return verdict;
        case SinkReceiver::End::none:
        case SinkReceiver::End::silent: report.note(to + ": no answer, or no sink"); return Exit::unreachable;
        case SinkReceiver::End::off: report.note(to + ": the sink does not send; it needs --reverse-max"); break;
        case SinkReceiver::End::busy: report.note(to + ": the sink sends as much as its --reverse-max allows"); break;
        case SinkReceiver::End::unknown: report.note(to + ": the sink has not reported how many it sent"); break;
    }
    return verdict == Exit::breach ? verdict : static_cast<int>(Exit::failed);
}

}  // namespace

void check_reverse(const CLI::App& command, const LoadOptions& options) {
    if (!options.reverse) return;
    for (const char* name :
         {"--self",        "--find-max",     "--bidirectional", "--no-verify", "--one-way", "--no-control",
          "--arrivals",    "--burst",        "--profile",       "--threads",   "--flows",   "--start-at",
          "--prometheus",  "--out",          "--strict",        "--interface", "--ttl",     "--payload",
          "--payload-hex", "--payload-file", "--payload-pcap",  "--preset",    "--cpu",     "--per-flow"}) {
        const CLI::Option* const option = command.get_option_no_throw(name);
        if (option != nullptr && option->count() > 0)
            throw CLI::ValidationError(fmt::format("--reverse: not with {}", name));
    }
    if (options.transport.reliable())
        throw CLI::ValidationError(fmt::format("--reverse: not with --transport {}", options.transport.name()));
    if (!options.sizes.is_fixed()) throw CLI::ValidationError("--reverse: the sink sends datagrams of one size");
    if (static_cast<std::uint64_t>(options.duration) > limits::reverse_ns_max)
        throw CLI::ValidationError("--reverse: at most --duration 1h");
}

int reverse_load(const LoadOptions& options, Report& report) {
    const Address target = target_address(options.to);
    check_target_network(target, options.multicast, options.foreign_targets);
    if (is_multicast(target))
        throw Failure(Exit::usage, fmt::format("--to {}: --reverse needs one peer, not a group", to_text(target)));
    SocketOptions socket;
    socket.connect = target;
    socket.gro = options.common.gro;
    UdpSocket opened = open_flow(options, socket, 0, 1);
    const RunShape shape{.command = "load", .sends = false, .histograms = {}};
    Monitor monitor({.shape = shape, .engines = 1, .prometheus = "", .complete = {}}, report, nullptr);
    ReverseOutcome outcome = run_on_loop(
        options.common, report, [&](auto& loop) { return receive(loop, std::move(opened), options, monitor); });
    Json& summary = outcome.summary;
    print_reverse(report, options, summary);
    const int verdict = print_verdict(report, summary, options.verdict);
    report.event("summary", summary);
    if (summary["refused"].get<bool>()) {
        report.note(to_text(target) + ": unreachable");
        return exit_code(Exit::unreachable);
    }
    return exit_code(ending(report, target, outcome.end, verdict));
}

}  // namespace ringpost::apps
