#include "apps/measuring/receivers.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

constexpr const char* receiver_counts = "receiver_counts";

/// The counts of several engines and agents add up, also those of the buckets.
Json bucket_counts_json(const Histogram& histogram) {
    Json out = Json::object();
    const auto counts = histogram.bucket_counts();
    for (std::size_t i = 0; i < counts.size(); ++i)
        if (counts[i] != 0) out[std::to_string(i)] = counts[i];
    return out;
}

Histogram histogram_of(const Json& buckets) {
    Histogram out;
    for (const auto& [index, count] : buckets.items())
        out.record_bucket(std::stoull(index), count.get<std::uint64_t>());
    return out;
}

}  // namespace

void add_receiver_counts(Json& counts, const traffic::ReceiverTable& receivers) {
    Json& rows = counts[receiver_counts];
    rows = Json::object();
    for (const traffic::ReceiverRow& row : receivers.rows())
        rows[to_text(row.source)] = {
            {"answered", row.answered}, {"duplicate", row.duplicate}, {"buckets", bucket_counts_json(row.response)}};
    counts["receivers_other"] = receivers.others();
}

void summarize_receivers(Json& summary) {
    const auto found = summary.find(receiver_counts);
    if (found == summary.end()) return;
    const Json rows = std::move(*found);
    summary.erase(receiver_counts);
    const std::uint64_t sent = summary["sent"].get<std::uint64_t>();
    Json list = Json::array();
    for (const auto& [source, row] : rows.items()) {
        const std::uint64_t answered = row["answered"].get<std::uint64_t>();
        list.push_back({{"source", source},
                        {"answered", answered},
                        {"lost", sent - std::min(sent, answered)},
                        {"duplicate", row["duplicate"]},
                        {"rtt_us", percentiles_us(histogram_of(row["buckets"]))}});
    }
    summary["receivers"] = std::move(list);
}

std::vector<std::string> receiver_lines(const Json& summary) {
    std::vector<std::string> lines;
    const auto receivers = summary.find("receivers");
    if (receivers == summary.end()) return lines;
    for (const Json& row : *receivers) {
        const auto count = [&](const char* name) { return grouped(row[name].get<std::uint64_t>()); };
        const auto us = [&](const char* name) { return row["rtt_us"][name].get<double>(); };
        lines.push_back(
            fmt::format("receiver {}  answered {}  lost {}  duplicate {}  p50 {:.1f} us  p99 {:.1f} us  max {:.1f} us",
                        row["source"].get<std::string>(), count("answered"), count("lost"), count("duplicate"),
                        us("p50"), us("p99"), us("max")));
    }
    if (const Json& others = summary["receivers_other"]; others > 0)
        lines.push_back(fmt::format("further receivers  answered {}", grouped(others.get<std::uint64_t>())));
    return lines;
}

}  // namespace ringpost::apps
