#include "apps/commands/load_report.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "apps/measuring/far_counts.hpp"
#include "apps/measuring/flow_shares.hpp"
#include "apps/measuring/one_way.hpp"
#include "apps/runs/figures.hpp"

namespace ringpost::apps {
namespace {

double real_of(const Json& summary, const char* name) { return summary[name].get<double>(); }

void print_reliable(const Report& report, const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    report.print(fmt::format("confirmed {:>15} messages  {:>17}    gave up {}", count("confirmed"),
                             grouped_rate_text(real_of(summary, "confirmed_per_s")), count("gave_up")));
    report.print(wire_text(summary));
    const Json& us = summary["confirmed_us"];
    if (us["p50"].is_null()) return;
    report.print(fmt::format("send to confirmed us: p50 {:.1f}  p99 {:.1f}  p99.9 {:.1f}  max {:.1f}",
                             real_of(us, "p50"), real_of(us, "p99"), real_of(us, "p999"), real_of(us, "max")));
}

void print_native(const Report& report, const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    report.print(fmt::format("confirmed {:>15} messages  {:>17}    not confirmed {}", count("confirmed"),
                             grouped_rate_text(real_of(summary, "confirmed_per_s")), count("gave_up")));
    report.print(native_text(summary));
}

/// Of `due` datagrams, those that did not come back intact.
std::uint64_t not_returned(const Json& summary, std::uint64_t due) {
    const std::uint64_t came = returned(summary);
    return due > came ? due - came : 0;
}

}  // namespace

std::uint64_t returned(const Json& summary) {
    const auto count = [&](const char* name) { return summary[name].get<std::uint64_t>(); };
    return count("back_received") - count("back_duplicate") - count("back_corrupt");
}

Json summary_of(const LoadOptions& options, const Outcome& of) {
    const std::uint64_t sent = of.snapshot.sent;
    RunShape own_view = shape_of(options);
    own_view.receives = false;
    Json summary = summary_json(own_view, of.snapshot);
    summary.update({{"duration_s", of.duration_s},
                    {"rate_per_s", ratio(static_cast<double>(sent), of.duration_s)},
                    {"bits_per_s", ratio(of.counts["bytes_sent"].get<double>() * 8, of.duration_s)}});
    summary.update(of.facts);
    summary.update(of.counts);
    summary["refused"] = of.counts["refused"] > 0;
    if (summary["counters"].contains("far")) add_far_counts(summary);
    const std::vector<Histogram>& histograms = of.snapshot.histograms;
    if (options.transport.gtudp()) {
        summary["transport"] = "gtudp";
        summary["lost"] = summary["gave_up"];
        summary["confirmed_per_s"] = ratio(real_of(summary, "confirmed"), of.duration_s);
        summary["confirmed_us"] = percentiles_us(histograms.back());
    }
    if (options.transport.native()) {
        summary["transport"] = "native";
        summary["lost"] = summary["gave_up"];
        summary["confirmed_per_s"] = ratio(real_of(summary, "confirmed"), of.duration_s);
    }
    if (options.bidirectional) summary["back_lost"] = not_returned(summary, sent);
    share_flows(summary, "sent", options.per_flow);
    if (options.rate > 0) {
        summary["rate_asked"] = options.rate;
        summary["slip_us"] = percentiles_us(histograms[0]);
        judge_schedule(summary);
        add_arrivals(summary, options.arrivals);
    }
    return summary;
}

Json join_reports(Json sender, const Json& sink) {
    const bool reliable = sink.contains("transport");
    const bool gtudp = reliable && sink["transport"] == "gtudp";
    Json summary = {{"sent", sender["sent"]}};
    for (const char* name : {"received", "bytes"}) summary[name] = sink[name];
    const auto of = [&](const char* name) { return sink[name].is_null() ? 0 : sink[name].get<std::int64_t>(); };
    // Other hosts may send to the sink too: good datagrams in excess of those sent are foreign.
    const std::int64_t missing =
        sender["sent"].get<std::int64_t>() - (of("received") - of("duplicate") - of("corrupt"));
    // A message that was given up is lost to the sender, even if it arrived.
    summary["lost"] = reliable ? sender["lost"].get<std::int64_t>() : std::max<std::int64_t>(missing, 0);
    summary["foreign"] = std::max<std::int64_t>(-missing, 0);
    for (const char* name : {"duplicate", "reordered", "corrupt", "socket_dropped", "rate_per_s", "bits_per_s", "gro"})
        summary[name] = sink[name];
    // Delivery is known to the receiver. Of the rest of gtUDP's counts the sender's stay, for DATA and ACK.
    if (gtudp)
        for (const char* name : {"delivered", "duplicates", "recv_sent", "recv_resends", "app_behind", "table_full",
                                 "recv_withheld", "forgotten_early"})
            sender[name] = sink[name];
    for (const char* name : {"one_way_us", "before_sent", "before_sent_max_us", "clock_apart"})
        if (sink.contains(name)) sender[name] = sink[name];
    if (sink.contains("answers_sent")) {
        // The sink knows how many answers it sent, so even the loss of the last ones is known.
        for (const char* name : {"answers_sent", "answers_dropped"}) sender[name] = sink[name];
        sender["back_lost"] = not_returned(sender, sink["answers_sent"].get<std::uint64_t>());
    }
    summary["sent_rate_per_s"] = sender["rate_per_s"];
    for (const char* name : {"sent", "rate_per_s", "bits_per_s", "unexpected"}) sender.erase(name);
    sender["counters"]["peer"] = sink["counters"];
    summary.update(sender);
    return summary;
}

void print_summary(const Report& report, const LoadOptions& options, const Agents& agents, const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    const auto real = [&](const char* name) { return summary[name].get<double>(); };
    const bool self = options.threads.self;
    const std::uint64_t flows = options.flows * agents.count();
    report.print(fmt::format("{}{}, {}{}{} flow{}, {}, gso {}{}, {:.3f} s", size_text(options.payloads, options.sizes),
                             transport_text(options.transport), agents_text(agents), engines_text(options.threads),
                             flows, flows == 1 ? "" : "s", summary["backend"].get<std::string>(),
                             summary["gso"].get<bool>() ? "on" : "off",
                             self ? (summary["gro"].get<bool>() ? ", gro on" : ", gro off") : "", real("duration_s")));
    const double sent_rate = real(self ? "sent_rate_per_s" : "rate_per_s");
    report.print(fmt::format("sent      {:>15} datagrams {:>17}", count("sent"), grouped_rate_text(sent_rate)));
    if (self) {
        report.print(fmt::format("received  {:>15} datagrams {:>17} {:>9.3f} Gbit/s{}", count("received"),
                                 grouped_rate_text(real("rate_per_s")), real("bits_per_s") / 1e9,
                                 options.verify ? ", each one verified" : ""));
        report.print(fmt::format("lost      {:>15} ({:.4f} %), receive buffer full {} times", count("lost"),
                                 100 * ratio(real("lost"), real("sent")), count("socket_dropped")));
        if (options.verify)
            report.print(fmt::format("duplicate {}  reordered {}  corrupt {}", count("duplicate"), count("reordered"),
                                     count("corrupt")));
    }
    print_far_counts(report, summary);
    if (options.payloads.dialect && summary.value("unexpected", std::uint64_t{0}) > 0)
        report.print(fmt::format("replies   {:>15} datagrams, not examined", count("unexpected")));
    if (options.bidirectional)
        report.print(fmt::format(
            "returned  {:>15} datagrams {:>17}    lost {}{}  duplicate {}  reordered {}  corrupt {}",
            count("back_received"), grouped_rate_text(ratio(real("back_received"), real("duration_s"))),
            count("back_lost"),
            self || summary["back_gaps"] == 0 ? "" : fmt::format(" ({} of them on the way back)", count("back_gaps")),
            count("back_duplicate"), count("back_reordered"), count("back_corrupt")));
    if (summary.contains("one_way_us")) report.print(one_way_text(summary));
    if (options.transport.gtudp()) print_reliable(report, summary);
    if (options.transport.native()) print_native(report, summary);
    if (options.rate > 0 && !summary["slip_us"]["p50"].is_null())
        report.print(fmt::format("requested {}; schedule slip us: p50 {:.1f}  p99 {:.1f}  max {:.1f}",
                                 arrivals_text(options.arrivals, options.rate), summary["slip_us"]["p50"].get<double>(),
                                 summary["slip_us"]["p99"].get<double>(), summary["slip_us"]["max"].get<double>()));
    for (const std::string& line : flow_lines(summary)) report.print(line);
    if (summary["send_failed"].get<std::uint64_t>() > 0)
        report.print(fmt::format("refused by the kernel: {} (last error: {})", count("send_failed"),
                                 summary["last_send_error"].get<std::string>()));
    if (summary["unreachable"].get<std::uint64_t>() > 0)
        report.print(fmt::format("ICMP unreachable errors: {}", count("unreachable")));
}

}  // namespace ringpost::apps
