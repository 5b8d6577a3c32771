// ringpost load: an open loop of datagrams at a fixed rate, or as fast as the kernel takes them.

#include <fmt/core.h>

#include <functional>
#include <optional>

#include "apps/commands/load_report.hpp"
#include "apps/measuring/one_way.hpp"
#include "apps/measuring/self_peer.hpp"
#include "codec/traffic/frame.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

/// The sink of --self.
int run_far_end(const LoadOptions& options, SharedCounters& counters, const SelfPeer::Tell& tell) {
    Report silent(Report::Form::silent);
    PeerOptions server = peer_of(options);
    server.verify = options.verify;
    server.one_way = options.one_way;
    server.bidirectional = options.bidirectional;
    server.linger = 20 * millisecond;
    server.counters = &counters;
    tell(run_sink(server, silent, [&](std::uint16_t port) { tell(std::to_string(port)); }).dump());
    return Exit::done;
}

/// The other end, when it is ours: a process on this machine.
struct FarEnd {
    SharedCounters counters;
    SelfPeer sink;

    explicit FarEnd(const LoadOptions& options)
        : sink([&](const SelfPeer::Tell& tell) { return run_far_end(options, counters, tell); }) {}

    Address address() const { return Address::v4(127, 0, 0, 1, static_cast<std::uint16_t>(std::stoul(sink.hear()))); }
    void add_to(Snapshot& now) const {
        const SharedCounters::Counters far = counters.sum();
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

int run_load(LoadOptions options, const Address& target, const FarEnd* far_end, const Agents& agents, Report& report) {
    options.arrivals.seed = one_seed(agents, options.arrivals.seed);
    if (agents.rank() > 0) report.silence();
    if (options.transport.gtudp && is_multicast(target))
        throw Failure(Exit::usage, fmt::format("--to {}: gtudp sends to one peer, not to a group", to_text(target)));
    if (options.bidirectional && is_multicast(target))
        throw Failure(Exit::usage,
                      fmt::format("--to {}: --bidirectional hears one peer, not a group", to_text(target)));
    if (far_end != nullptr && !agents.alone())
        throw Failure(Exit::usage, "--self: not under mpirun, where the sink is started by itself");
    RunDirectory directory(of_agent(options.run, agents.rank(), agents.count()), "load", report);
    const RunShape shape = shape_of(options);
    std::function<void(Snapshot&)> complete;
    if (far_end != nullptr) complete = [&](Snapshot& now) { far_end->add_to(now); };
    Monitor monitor({shape, options.threads.count, options.prometheus, complete}, report, &directory);
    directory.begin(shape, expected_start(options));
    Outcome mine = measure_load(options, target, agents, monitor, report);
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
        report.note("the path does not take trains (GSO): datagrams were sent one by one");
    print_summary(report, options, agents, summary);
    const int verdict = tell_verdict(report, summary, options.verdict);
    report.event("summary", summary);
    const Json kept = agents.alone() ? summary : summary_of(options, mine);
    directory.close(std::move(mine.snapshot), kept);
    if (summary["refused"].get<bool>()) {
        report.note(to_text(target) + ": unreachable");
        return exit_code(Exit::unreachable);
    }
    if (received_signal() != 0) return exit_code(verdict);
    if (summary["sent"] == 0) {
        report.note(
            "nothing was sent: the duration ended before the first datagram was due, or the kernel refused all");
        return Exit::failed;
    }
    if (!options.transport.gtudp || summary["confirmed"] > 0) return verdict;
    report.note(to_text(target) + ": no answer");
    return Exit::unreachable;
}

int load_command(const LoadOptions& options) {
    Report report(options.common.form);
    if (!options.one_way) choose_clock();  // the other end may be another process: both have the kernel's clock
    std::optional<FarEnd> far_end;
    if (options.threads.self) far_end.emplace(options);
    const Address target = far_end ? far_end->address() : target_address(options.to);
    if (!far_end) check_target_network(target, options.multicast, options.foreign_targets);
    if (options.one_way && !far_end) report.note(one_way_warning);
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
        if (options->verify && options->sizes.smallest() < traffic::frame_bytes_min)
            throw CLI::ValidationError(
                fmt::format("--size: {}, at least {} to carry a sequence and a CRC; --no-verify for less",
                            sizes_text(options->sizes), traffic::frame_bytes_min));
        if (options->transport.gtudp && options->bidirectional)
            throw CLI::ValidationError("--bidirectional: not with gtudp, which sends back what it needs itself");
        chosen = [options] { return load_command(*options); };
    });
}

}  // namespace ringpost::apps
