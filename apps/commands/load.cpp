// ringpost load: an open loop of datagrams at a fixed rate, or as fast as the kernel takes them.

#include <fmt/core.h>

#include <functional>
#include <memory>
#include <optional>

#include "apps/cli/help.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/load_find_max.hpp"
#include "apps/commands/load_report.hpp"
#include "apps/commands/load_reverse.hpp"
#include "apps/commands/load_self.hpp"
#include "apps/measuring/lost_messages.hpp"
#include "apps/measuring/one_way.hpp"
#include "codec/traffic/frame.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

int no_answer(const Address& target, const Report& report) {
    report.note(to_text(target) + ": no answer, nothing came back");
    return Exit::unreachable;
}

int run_load(LoadOptions options, const Address& target, const OwnSink* own_sink, Agents& agents, Report& report) {
    if (agents.rank() > 0) report.silence();
    check_load_target(options, target);
    if (own_sink != nullptr && !agents.alone())
        throw Failure(Exit::usage, "--self: not under mpirun; start the sink separately");
    if (options.arrivals.recording && !agents.alone()) throw Failure(Exit::usage, "--pcap-timing: not under mpirun");
    RunDirectory directory(of_agent(options.run, agents.rank(), agents.count()), "load", report);
    const RunShape shape = shape_of(options);
    std::function<void(Snapshot&)> complete;
    if (own_sink != nullptr) complete = [&](Snapshot& now) { own_sink->figures.copy_to(now); };
    Monitor monitor({shape, options.threads.count, options.prometheus, complete}, report, &directory);
    const Instant start = expected_start(options);
    agents.join();
    options.arrivals.seed = one_seed(agents, options.arrivals.seed);
    directory.begin(shape, start, source_address_toward(target).value_or(Address{}));
    Outcome mine = measure_load(options, target, agents, monitor, report);
    Outcome all = join(agents, mine);
    Json summary = summary_of(options, all);
    if (own_sink != nullptr) summary = own_sink->finish(shape, summary, {&all.snapshot, &mine.snapshot});
    if (!agents.alone()) summary["agents"] = agents.count();
    monitor.finish(mine.snapshot);
    if (summary["trains_refused"] > 0) report.note("the path does not support GSO: datagrams were sent one by one");
    print_summary(report, options, agents, summary);
    const int verdict =
        print_lost_messages(report, summary, options.verdict, print_verdict(report, summary, options.verdict));
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
            "nothing was sent: no datagram was due within the duration, the process was stalled, or the kernel "
            "refused all");
        return Exit::failed;
    }
    if (options.transport.reliable() && summary["confirmed"] == 0) return no_answer(target, report);
    if (!options.bidirectional || returned(summary) > 0) return verdict;
    if (summary["back_received"] == 0) return no_answer(target, report);
    report.note(to_text(target) + ": answers came, none is intact");
    return verdict == Exit::breach ? verdict : Exit::failed;
}

/// After parsing.
void check_payloads(LoadOptions& options) {
    if (!options.payloads.any()) return;
    if (options.transport.reliable())
        throw CLI::ValidationError(fmt::format("--payload..., --preset: not with {}; other servers do not speak it",
                                               options.transport.name()));
    options.payloads.dialect = std::make_shared<const traffic::Dialect>(read_dialect(options.payloads));
    options.verify = false;
    options.arrivals.recording = options.payloads.recording;
    if (options.arrivals.recording && options.threads.count > 1)
        throw CLI::ValidationError("--pcap-timing: with one engine, not with --threads");
}

int load_command(const LoadOptions& options) {
    Report report(options.common.form);
    if (!options.payloads.note.empty()) report.note(options.payloads.note);
    check_client_keys(options.transport);
    if (!options.one_way) choose_clock();  // both ends, which may be two processes, use the kernel's clock
    if (options.reverse) return reverse_load(options, report);
    if (options.find_max) return as_agents([&](Agents& agents) { return find_max_load(options, agents, report); });
    std::optional<OwnSink> own_sink;
    if (options.threads.self) own_sink.emplace(options);
    const Address target =
        own_sink ? own_sink->address() : sender_target(options.sender, options.to, options.payloads.default_port);
    if (!own_sink) check_target_network(target, options.multicast, options.foreign_targets);
    if (options.one_way && !own_sink) report.note(one_way_warning);
    return as_agents(
        [&](Agents& agents) { return run_load(options, target, own_sink ? &*own_sink : nullptr, agents, report); });
}

}  // namespace

void add_load(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("load", "send datagrams at a fixed rate or as fast as possible");
    auto options = std::make_shared<LoadOptions>();
    add_measuring(*command, *options,
                  "target, a sink or any UDP server: a name, IPv4 or [IPv6] address (required without --self)",
                  "run the sink too, on loopback");
    begin_group(*command, "Payload");
    auto* size =
        add_parsed(*command, "--size", options->sizes, parse_sizes,
                   "payload size in bytes: 64, 1400, 64..1400 (uniform), imix, or 64:7,576:4,1472:1 (default 64)");
    size->type_name("SIZE");
    const std::vector<CLI::Option*> payloads = add_payloads(*command, options->payloads, *size);
    begin_group(*command, "Schedule");
    auto* rate = add_rate(*command, options->rate, options->arrivals, parse_rate,
                          "per second, total of all flows: datagrams max, 100k, 2.5M, or bits of payload 100Mbit, "
                          "1Gbit (default max)");
    auto* find = command
                     ->add_flag("--find-max", options->find_max,
                                "find the highest rate with less loss than --loss, beside the rate and loss of max")
                     ->excludes(rate);
    add_parsed(*command, "--loss", options->loss_max, parse_chance,
               "--find-max: highest loss that passes (default 0.01%)")
        ->needs(find);
    add_parsed(*command, "--duration", options->duration, parse_duration,
               "duration of the run, or of each trial of --find-max (default 5s, 300ms)");
    begin_group(*command, "Payload");
    auto* verify = command->add_flag("!--no-verify", options->verify, "send arbitrary bytes without sequence and CRC");
    auto* one_way =
        command
            ->add_flag("--one-way", options->one_way, "take due times from the wall clock, for a sink with --one-way")
            ->excludes(verify);
    auto* bidirectional = command
                              ->add_flag("--bidirectional", options->bidirectional,
                                         "verify the replies of an echo or of a sink with --bidirectional")
                              ->excludes(verify);
    for (CLI::Option* payload : payloads) payload->excludes(one_way)->excludes(bidirectional);
    begin_group(*command, "Target");
    command->add_flag("--reverse", options->reverse, "receive what a sink with --reverse-max sends");
    command->add_flag("!--no-control", options->control, "do not ask a sink for its counts at the end");
    begin_group(*command, "Output");
    command->add_flag("--per-flow", options->per_flow, "report a row for each flow (default shares and fairness only)");
    add_transport(*command, options->transport, {.window = true});
    add_common(*command, options->common, {.offload = true});
    end_help(*command, {.notes = {},
                        .examples = {"ringpost load --self --rate 100k --duration 10s",
                                     "ringpost load --to 10.0.0.7:5000 --size imix --rate 50k --fail-if 'loss>0.1%'",
                                     "ringpost load --to 10.0.0.7:8125 --rate 50k --payload 'requests:{seq}|c'"},
                        .exits = {Exit::failed, Exit::breach, Exit::unreachable, Exit::cannot_tell}});
    command->callback([options, command, &chosen] {
        check_measuring(*command, *options);
        check_reverse(*command, *options);
        check_find_max(*command, *options);
        check_payloads(*options);
        for (const std::string& condition : options->verdict.fail_if) {
            if (bounds_errors(condition))
                throw CLI::ValidationError(fmt::format("--fail-if {}: only latency checks answers", condition));
            if (bounds_times(condition) && !options->one_way && !options->threads.self)
                throw CLI::ValidationError(fmt::format("--fail-if {}: requires --one-way", condition));
        }
        check_arrivals(*command, options->arrivals, options->rate, options->duration);
        settle_rate(options->arrivals, options->rate, mean_bytes(options->payloads, options->sizes));
        if (options->verify && options->sizes.smallest() < traffic::frame_bytes_min)
            throw CLI::ValidationError(
                fmt::format("--size: {}, at least {} for sequence and CRC; use --no-verify for less",
                            sizes_text(options->sizes), traffic::frame_bytes_min));
        if (options->transport.reliable() && options->bidirectional)
            throw CLI::ValidationError(fmt::format("--bidirectional: not with {}, whose confirmations use the way back",
                                                   options->transport.name()));
        chosen = [options] { return load_command(*options); };
    });
}

}  // namespace ringpost::apps
