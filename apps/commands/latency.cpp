// ringpost latency: measures round trips to `echo` or any server that returns datagrams unchanged, or with foreign
// probes (probe_options) to any server.

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "apps/cli/help.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/latency_mtu.hpp"
#include "apps/commands/latency_run.hpp"
#include "apps/commands/latency_scenario.hpp"
#include "apps/measuring/flow_shares.hpp"
#include "apps/measuring/lost_messages.hpp"
#include "apps/measuring/receivers.hpp"
#include "apps/measuring/self_peer.hpp"
#include "apps/runs/environment.hpp"
#include "apps/runs/figures.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

constexpr Duration default_duration = 5 * second;
constexpr Duration default_timeout = second;
/// The reliable layer resends, so what is late is not lost.
constexpr Duration default_timeout_reliable = 10 * second;
/// Unless a rate or a closed loop is given; every server can answer as many.
constexpr double default_rate = 10'000;
/// The duration of one of several trials.
constexpr Duration default_trial = second;

/// The histogram of that name, or null if the run has none.
const Histogram* recording(const LatencyOptions& options, const Outcome& of, const char* name) {
    const std::vector<std::string> names = shape_of(options).histograms;
    const auto found = std::ranges::find(names, name);
    return found == names.end() ? nullptr : &of.snapshot.histograms[static_cast<std::size_t>(found - names.begin())];
}

LostProbes lost_probes(const LatencyOptions& options, const Outcome& of) {
    return {static_cast<std::uint64_t>(std::max<std::int64_t>(of.snapshot.lost, 0)), options.timeout};
}

Json summary_of(const LatencyOptions& options, const Outcome& of) {
    Json summary = summary_json(shape_of(options), of.snapshot);
    summary.update(of.counts);
    summary["duration_s"] = of.duration_s;
    summary["rate_per_s"] = ratio(static_cast<double>(of.snapshot.sent), of.duration_s);
    summary.update(of.facts);
    if (options.transport.reliable()) summary["transport"] = options.transport.name();
    const LostProbes lost = lost_probes(options, of);
    for (const std::string& name : shape_of(options).histograms)
        summary[name == "response" ? "rtt_us" : name + "_us"] =
            percentiles_us(*recording(options, of, name.c_str()), ranks_lost(name) ? lost : LostProbes{});
    summary["timeout_us"] = static_cast<double>(options.timeout) / 1e3;
    if (options.rate > 0) {
        summary["rate_asked"] = options.rate;
        judge_schedule(summary);
        judge_lateness(summary, *recording(options, of, "response"), *recording(options, of, "service"), lost.count);
    }
    judge_matches(
        summary, options.probes,
        {.rate = options.rate, .window = options.window, .flows = flows_of(options), .timeout = options.timeout});
    share_flows(summary, "answered", options.per_flow);
    summarize_receivers(summary);
    add_arrivals(summary, options.arrivals);
    summary["clock"] = clock_json();
    name_both_ways(summary);
    return summary;
}

std::string loop_text(const LatencyOptions& options) {
    if (options.rate > 0) return arrivals_text(options.arrivals, options.rate);
    return options.window == 1 ? "ping-pong" : fmt::format("{} in flight", grouped(options.window));
}

void print_summary(const Report& report, const LatencyOptions& options, const Agents& agents, const Outcome& of,
                   const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    report.print(fmt::format(
        "{}{}, {}{}{}{}, {}, {:.3f} s, round trips", size_text(options.probes, options.sizes),
        transport_text(options.transport), agents_text(agents), engines_text(options.threads),
        flows_of(options) > options.threads.count ? fmt::format("{} flows, ", flows_of(options) * agents.count()) : "",
        summary["backend"].get<std::string>(), loop_text(options), of.duration_s));
    const std::uint64_t sent = summary["sent"].get<std::uint64_t>();
    const auto foreign_probes = match_text(summary);
    report.print(fmt::format("sent {}  answered {}  lost {}  out of order {}  duplicate {}  corrupt {}{}",
                             grouped(sent), grouped(sent - summary["lost"].get<std::uint64_t>()), count("lost"),
                             count("reordered"), count("duplicate"), count("corrupt"),
                             summary["foreign"] > 0 && !foreign_probes ? "  foreign " + count("foreign") : ""));
    if (of.snapshot.lost > 0) {
        const LossPlaces places = loss_places(shape_of(options), of.snapshot);
        report.print(fmt::format("lost in the send queue {}, in the receive buffer {}, on the path {}",
                                 grouped(places.send_queue), grouped(places.receive_buffer), grouped(places.path)));
    }
    if (foreign_probes) report.print(*foreign_probes);
    if (const auto statuses = statuses_text(summary); statuses && !statuses->empty())
        report.print(
            fmt::format("statuses    {}{}", *statuses,
                        summary["errors"] > 0 ? fmt::format("  (errors {}, not in the times)", count("errors")) : ""));
    if (summary["send_failed"].get<std::uint64_t>() > 0)
        report.print(fmt::format("refused by the kernel: {} (last error: {})", count("send_failed"),
                                 summary["last_send_error"].get<std::string>()));
    for (const std::string& name : shape_of(options).histograms) {
        const bool only = name == "response" && options.rate == 0;  // with no schedule, the response is the round trip
        report.print(fmt::format("{:<11} {}", only ? "round trip" : name,
                                 percentiles_text(*recording(options, of, name.c_str()),
                                                  ranks_lost(name) ? lost_probes(options, of) : LostProbes{})));
    }
    if (summary.contains("stands")) report.print("lateness    " + lateness_text(summary));
    if (options.rate > 0 && summary["service_unknown"] > 0)
        report.print(fmt::format("replies too late to know their service time {}", count("service_unknown")));
    if (options.stamps != Stamps::none && summary["unstamped"] > 0)
        report.print(fmt::format("replies without a usable timestamp {}", count("unstamped")));
    for (const std::string& line : flow_lines(summary)) report.print(line);
    for (const std::string& line : receiver_lines(summary)) report.print(line);
    if (options.transport.gtudp()) report.print(wire_text(summary));
    if (options.transport.native()) report.print(native_text(summary));
    report.print(clock_text(summary["clock"]));
}

/// --find-max, --sweep, --repeat: several runs, one line each.
int measure_again(LatencyOptions options, const Address& target, const Agents& agents, const Report& report,
                  std::function<void(const std::string&)> notify) {
    Report silent(Report::Form::silent);
    RunDirectory unkept({}, "latency", silent);
    return run_trials(report, options.trials, [&](const TrialRequest& request) {
        options.rate = request.rate.value_or(options.rate);
        options.duration = request.duration.value_or(options.duration);
        const Json summary =
            summary_of(options, join(agents, measure_latency(options, target, agents, silent, unkept, notify)));
        // The other agents would wait for this one at the next start.
        if (received_signal() != 0) agents.abort(exit_code(Exit::failed));
        notify = [](const std::string&) {};  // notes on the backend are the same for each run
        return summary;
    });
}

traffic::Sizes parse_probe_sizes(const std::string& text) {
    traffic::Sizes sizes = parse_sizes(text);
    if (sizes.smallest() < traffic::frame_bytes_min)
        throw std::invalid_argument(fmt::format("a probe needs at least {} bytes", traffic::frame_bytes_min));
    return sizes;
}

Stamps parse_stamps(const std::string& text) {
    if (text == "kernel") return Stamps::kernel;
    if (text == "hardware") return Stamps::hardware;
    throw std::invalid_argument("expected kernel or hardware");
}

void check_trials(const CLI::App& command, LatencyOptions& options) {
    if (!options.trials.any()) return;
    for (const char* other : {"--out", "--strict", "--fail-if", "--start-at", "--prometheus"})
        if (command.count(other) > 0)
            throw CLI::ValidationError(fmt::format("{}: not with --find-max, --sweep or --repeat", other));
    for (const char* other : {"--rate", "--profile", "--ping-pong", "--window", "--count"})
        if (options.trials.repeat == 1 && command.count(other) > 0)
            throw CLI::ValidationError(fmt::format("{}: not with --find-max or --sweep", other));
    if (options.duration == never && options.count == UINT64_MAX) options.duration = default_trial;
    if (options.duration != never) options.trials.duration = options.duration;
    if (options.trials.find_max) check_trial_duration(options.trials.duration);
}

void check_error_bound(const LatencyOptions& options) {
    const bool checks = options.probes.dialect && options.probes.dialect->check.any();
    for (const std::string& condition : options.verdict.fail_if)
        if (bounds_errors(condition) && !checks)
            throw CLI::ValidationError(
                fmt::format("--fail-if {}: replies are checked only with --preset or --expect...", condition));
}

/// Decides between an open and a closed loop, and checks the options of either.
void check_loop(const CLI::App& command, LatencyOptions& options) {
    const bool closed = options.ping_pong || options.window > 0;
    for (const char* name : {"--arrivals", "--burst", "--profile"})
        if (closed && command.count(name) > 0)
            throw CLI::ValidationError(
                fmt::format("{}: not in a closed loop, where an answer triggers the next probe", name));
    if (options.rate == 0 && !closed) options.rate = default_rate;
    if (options.arrivals.recording && (closed || options.threads.count > 1))
        throw CLI::ValidationError("--pcap-timing: with one engine and in an open loop only");
    check_arrivals(command, options.arrivals, options.rate, options.duration);
    settle_rate(options.arrivals, options.rate, mean_bytes(options.probes, options.sizes));
    if (options.arrivals.profile && command.count("--duration") == 0) {
        if (options.warm_up >= options.duration)
            throw CLI::ValidationError("--warmup: must be shorter than the --profile");
        options.duration -= options.warm_up;
    }
    options.window = std::max(options.window, options.ping_pong ? 1u : options.threads.count);
    if (closed && options.window < options.threads.count)
        throw CLI::ValidationError(fmt::format("{}: {} engines need one probe in flight each",
                                               options.ping_pong ? "--ping-pong" : "--window", options.threads.count));
}

/// The echo server of --self.
int run_far_end(const LatencyOptions& options, const SelfPeer::WriteLine& write_line) {
    Report silent(Report::Form::silent);
    PeerOptions server = peer_of(options);
    server.common.gro = false;  // probes arrive one by one, and a receive without control messages is cheaper
    run_echo(server, silent, [&](const Address& local) { write_line(std::to_string(local.port)); });
    return Exit::done;
}

/// `20 answers, none matched: corrupt 20`.
std::string unmatched_text(const Json& summary) {
    std::string text;
    const auto add = [&](const char* what, std::uint64_t number) {
        if (number > 0) text += fmt::format("{} {} {}", text.empty() ? ":" : ",", what, grouped(number));
    };
    const auto count = [&](const char* name) { return summary.value(name, std::uint64_t{0}); };
    const bool foreign_probes = summary.contains("match_reused");
    add("corrupt", count("corrupt"));
    add("not a reply", count("not_a_reply"));
    add(foreign_probes ? "to no probe" : "of another sender", count("foreign") - count("not_a_reply"));
    add("after all probes were given up", count("surplus"));
    return fmt::format("{} answer{}, none matched{}", grouped(count("received")), count("received") == 1 ? "" : "s",
                       text);
}

/// Prints why no response time was measured. Returns the exit code.
int explain_no_times(const Report& report, const Address& target, const Json& summary) {
    const auto any = [&](const char* name) { return summary.value(name, std::uint64_t{0}) > 0; };
    const auto ends_with = [&](Exit code, const std::string& why) {
        report.note(fmt::format("{}: {}", to_text(target), why));
        return code;
    };
    if (any("errors")) return ends_with(Exit::failed, "every answer was an error: " + *statuses_text(summary));
    if (any("received")) return ends_with(Exit::failed, unmatched_text(summary));
    if (any("unreachable")) return ends_with(Exit::unreachable, "unreachable");
    if (any("send_failed"))
        return ends_with(Exit::unreachable, "refused by the kernel: " + summary["last_send_error"].get<std::string>());
    if (summary["sent"] > 0) return ends_with(Exit::unreachable, "no answer");
    report.note(any("due") ? "nothing was sent: the process was stalled until after the duration"
                           : "nothing was sent: no probe was due within the duration");
    return Exit::failed;
}

int run_latency(LatencyOptions options, const Address& target, Agents& agents, Report& report) {
    const std::size_t engines = agents.count() * options.threads.count;
    if (options.rate == 0 && options.window < engines && !agents.alone())
        throw Failure(Exit::usage,
                      fmt::format("{}: {} engines of {} agents need one probe in flight each",
                                  options.ping_pong ? "--ping-pong" : "--window", engines, agents.count()));
    if (agents.rank() > 0) report.silence();
    if (options.transport.reliable() && is_multicast(target))
        throw Failure(Exit::usage, fmt::format("--to {}: {} sends to one peer, not to a group", to_text(target),
                                               options.transport.name()));
    if (options.threads.self && !agents.alone())
        throw Failure(Exit::usage, "--self: not under mpirun; start the server separately");
    if (options.arrivals.recording && !agents.alone()) throw Failure(Exit::usage, "--pcap-timing: not under mpirun");
    RunDirectory directory(of_agent(options.run, agents.rank(), agents.count()), "latency", report);
    expected_start(options);  // throws if it is in the past
    agents.join();
    options.arrivals.seed = one_seed(agents, options.arrivals.seed);
    const auto notify = [&](const std::string& text) { report.note(text); };
    if (!options.probes.note.empty()) notify(options.probes.note);
    if (options.mtu_search) return search_mtu(options, target, agents, report, notify);
    if (options.trials.any()) return exit_code(measure_again(options, target, agents, report, notify));
    if (options.warm_up > 0) notify(fmt::format("warming up for {:g} s", seconds(options.warm_up)));
    if (options.scenario) return run_scenario(options, target, agents, report, directory, notify);
    Outcome mine = measure_latency(options, target, agents, report, directory, notify);
    const Outcome all = join(agents, mine);
    Json summary = summary_of(options, all);
    if (!agents.alone()) summary["agents"] = agents.count();
    print_summary(report, options, agents, all, summary);
    const int verdict =
        print_lost_messages(report, summary, options.verdict, print_verdict(report, summary, options.verdict));
    report.event("summary", summary);
    const Json kept = agents.alone() ? summary : summary_of(options, mine);
    directory.close(std::move(mine.snapshot), kept);
    if (!summary["rtt_us"]["min"].is_null()) return exit_code(verdict);
    if (received_signal() != 0) return exit_code(Exit::unreachable);
    const int code = explain_no_times(report, target, summary);
    return code == Exit::failed && verdict == Exit::breach ? verdict : code;
}

int latency_command(const LatencyOptions& options) {
    Report report(options.common.form);
    check_client_keys(options.transport);
    choose_clock();
    std::optional<SelfPeer> echo;
    Address target;
    if (options.threads.self) {
        echo.emplace([&](const SelfPeer::WriteLine& write_line) { return run_far_end(options, write_line); });
        target = Address::v4(127, 0, 0, 1, static_cast<std::uint16_t>(std::stoul(echo->read_line())));
    } else {
        target = sender_target(options.sender, options.to, options.probes.default_port);
        check_target_network(target, options.multicast, options.foreign_targets);
    }
    return as_agents([&](Agents& agents) { return run_latency(options, target, agents, report); });
}

}  // namespace

void add_latency(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("latency", "measure round trips against an echo server, or any UDP server");
    auto options = std::make_shared<LatencyOptions>();
    add_measuring(*command, *options,
                  "target, an echo server or the server for --payload or --preset: a name, IPv4 or [IPv6] address "
                  "(required without --self)",
                  "run the echo server too, on loopback");
    begin_group(*command, "Payload");
    auto* size =
        add_parsed(*command, "--size", options->sizes, parse_probe_sizes,
                   "payload size in bytes, at least 24: 64, 1400, 64..1400, imix or 64:7,576:4,1472:1 (default 64)");
    size->type_name("SIZE");
    add_probes(*command, options->probes, *size);
    add_scenario(*command, *options);
    begin_group(*command, "Schedule");
    auto* rate = add_rate(*command, options->rate, options->arrivals, parse_fixed_rate,
                          "open loop: probes per second, or bits of payload 100Mbit, 1Gbit, each measured from its due "
                          "time (default 10k)");
    auto* window =
        add_parsed(*command, "--window", options->window, parse_probe_window,
                   "closed loop: number of probes in flight; an answer triggers the next probe (default open loop)")
            ->excludes(rate);
    command->add_flag("--ping-pong", options->ping_pong, "closed loop with one probe in flight")
        ->excludes(rate)
        ->excludes(window);
    add_parsed(*command, "--warmup", options->warm_up, parse_duration_or_zero,
               "time at the start to exclude from the measurement (default 0s)");
    auto* duration =
        add_parsed(*command, "--duration", options->duration, parse_duration, "duration of the run (default 5s)");
    add_parsed(*command, "--count", options->count, parse_count, "number of probes (default limited by --duration)")
        ->excludes(duration);
    add_parsed(*command, "--timeout", options->timeout, parse_duration,
               "time to wait for an answer; a probe without one is then lost (default 1s, gtudp and native 10s, "
               "--mtu-search 500ms)");
    begin_group(*command, "Output");
    add_parsed(*command, "--stamps", options->stamps, parse_stamps,
               "kernel: also measure when a reply reached this host and how long it waited here; hardware: the same by "
               "the network device's stamps (default none)")
        ->type_name("kernel|hardware");
    begin_group(*command, "Several runs in one");
    add_trials(*command, options->trials);
    add_mtu_search(*command, *options);
    begin_group(*command, "Output");
    command->add_flag("--per-flow", options->per_flow, "report a row for each flow (default shares and fairness only)");
    add_transport(*command, options->transport, {});
    add_common(*command, options->common, {});
    end_help(*command, {.notes = {},
                        .examples = {"ringpost latency --self --rate 20k --fail-if 'p99>10ms'",
                                     "ringpost latency --to 192.168.0.1 --preset dns:www.example.com,AAAA",
                                     "ringpost latency --to 192.168.0.1:27015 --scenario a2s.txt --rate 100"},
                        .exits = {Exit::failed, Exit::breach, Exit::unreachable, Exit::cannot_tell}});
    command->callback([options, command, &chosen] {
        check_scenario(*command, *options);
        check_probes(options->probes);
        options->arrivals.recording = options->probes.recording;
        options->flows_given = command->count("--flows") > 0;
        check_measuring(*command, *options);
        if (options->stamps != Stamps::none && options->transport.reliable())
            throw CLI::ValidationError(fmt::format("--stamps: not with {}, whose messages are not single datagrams",
                                                   options->transport.name()));
        check_error_bound(*options);
        check_trials(*command, *options);
        check_mtu_search(*command, *options);
        check_loop(*command, *options);
        if (options->count == UINT64_MAX && options->duration == never) options->duration = default_duration;
        if (options->timeout == 0)
            options->timeout = options->transport.reliable() ? default_timeout_reliable : default_timeout;
        chosen = [options] { return latency_command(*options); };
    });
}

}  // namespace ringpost::apps
