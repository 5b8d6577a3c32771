#include "apps/commands/sink_report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "apps/measuring/one_way.hpp"
#include "apps/measuring/verdict.hpp"
#include "codec/base/limits.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

/// Rows in text; `--json` has all.
constexpr std::size_t printed_senders_max = 16;

Json counts_json(const traffic::SenderCounters& counts, bool verified) {
    Json out = counters_json(counts);
    if (!verified)
        for (const char* unknown : {"lost", "before_start", "duplicate", "reordered", "corrupt"})
            out[unknown] = nullptr;
    return out;
}

std::string sender_text(const Json& counts) {
    const auto count = [&](const char* name) { return grouped(counts[name].get<std::uint64_t>()); };
    if (counts["lost"].is_null()) return fmt::format("received {}", count("received"));
    return fmt::format("received {}  lost {}  duplicate {}  reordered {}  corrupt {}", count("received"), count("lost"),
                       count("duplicate"), count("reordered"), count("corrupt"));
}

/// One sender is the total.
void print_senders(const Report& report, const Json& summary) {
    const Json& rows = summary["sources"];
    if (rows.size() < 2) return;
    const std::size_t printed = std::min(rows.size(), printed_senders_max);
    for (std::size_t i = 0; i < printed; ++i)
        report.print(fmt::format("from {:<21} {}", rows[i]["source"].get<std::string>(), sender_text(rows[i])));
    if (printed < rows.size()) report.print(fmt::format("and {} more sources", rows.size() - printed));
    if (summary["sources_forgotten"] > 0)
        report.print(fmt::format("earlier sources, more than {}: {}", limits::load_senders_max,
                                 sender_text(summary["sources_other"])));
}

void print_sink(const PeerOptions& options, const Report& report, const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    report.print(fmt::format("received {} datagrams ({} bytes) in {:.3f} s: {}, {:.3f} Gbit/s", count("received"),
                             count("bytes"), summary["duration_s"].get<double>(),
                             rate_text(summary["rate_per_s"].get<double>()),
                             summary["bits_per_s"].get<double>() / 1e9));
    report.print(options.verify
                     ? fmt::format("lost {} (receive buffer full {} times)  duplicate {}  reordered {}  corrupt {}",
                                   count("lost"), count("socket_dropped"), count("duplicate"), count("reordered"),
                                   count("corrupt"))
                     : fmt::format("receive buffer full {} times; not verified", count("socket_dropped")));
    if (options.verify && summary["before_start"] > 0)
        report.print(fmt::format("sent before this sink started {}, not counted as lost", count("before_start")));
    if (summary["streams_forgotten"] > 0)
        report.print(
            fmt::format("streams evicted {}: more than {} at once, so loss at the start of a stream is unknown",
                        count("streams_forgotten"), limits::load_streams_max));
    print_senders(report, summary);
    if (summary["not_allowed"] > 0) report.print(not_allowed_text(summary));
    if (options.transport.gtudp()) report.print(wire_text(summary));
    if (options.bidirectional)
        report.print(fmt::format("answered {}  not answered: queue full {}, refused {}", count("answers_sent"),
                                 count("answers_dropped"), count("answers_refused")));
    if (options.one_way) report.print(one_way_text(summary));
}

}  // namespace

SenderReport::SenderReport(traffic::Sink& sink)
    : rows_(sink.senders()), others_(sink.sender_table().others()), forgotten_(sink.sender_table().evictions()) {}

void SenderReport::add(const SenderReport& other) {
    for (const auto& [source, row] : other.rows_) {
        const auto found = std::ranges::find(rows_, source, &traffic::SenderTable::Rows::value_type::first);
        if (found == rows_.end())
            rows_.emplace_back(source, row);
        else
            found->second.add(row);
    }
    others_.add(other.others_);
    forgotten_ += other.forgotten_;
}

void SenderReport::add_to(Json& summary, bool verified) const {
    traffic::SenderTable::Rows rows = rows_;
    std::ranges::sort(rows, std::greater{},
                      [](const auto& each) { return std::pair(each.second.counts.received, each.second.last_at); });
    Json out = Json::array();
    for (const auto& [source, row] : rows) {
        const double duration_s = seconds(row.last_at - row.first_at);
        Json fields = {{"source", to_text(source)}};
        fields.update(counts_json(row.counts, verified));
        fields["duration_s"] = duration_s;
        fields["rate_per_s"] = ratio(static_cast<double>(row.counts.received - 1), duration_s);
        out.push_back(std::move(fields));
    }
    summary["sources"] = std::move(out);
    summary["sources_other"] = counts_json(others_, verified);
    summary["sources_forgotten"] = forgotten_;
}

void check_conditions(const PeerOptions& options) {
    parse_conditions(options.fail_if);
    const auto refuse = [](const std::string& condition, const char* reason) {
        throw CLI::ValidationError(fmt::format("--fail-if {}: {}", condition, reason));
    };
    for (const std::string& condition : options.fail_if) {
        if (bounds_errors(condition)) refuse(condition, "only latency checks answers");
        if (bounds_loss(condition) && !options.verify) refuse(condition, "not with --no-verify");
        if (bounds_times(condition) && !options.one_way) refuse(condition, "requires --one-way");
    }
}

int sink_command(const PeerOptions& options) {
    Report report(options.common.form);
    std::optional<RunDirectory> directory;
    if (!options.run.out.empty()) directory.emplace(options.run, "sink", report);
    auto [summary, end] = measure_sink(options, report, directory ? &*directory : nullptr, [&](const Address& local) {
        report.note("sink listening on " + listening_text(local));
        if (options.one_way) report.note(one_way_warning);
        report.event("listening", listening_json(local));
    });
    print_sink(options, report, summary);
    const int verdict = print_verdict(report, summary, {.fail_if = options.fail_if});
    report.event("summary", summary);
    if (directory) directory->close(std::move(end), summary);
    return server_exit_code(report, options.end, summary["received"].get<std::uint64_t>(), verdict);
}

}  // namespace ringpost::apps
