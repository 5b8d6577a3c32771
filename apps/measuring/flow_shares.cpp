#include "apps/measuring/flow_shares.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace ringpost::apps {
namespace {

constexpr const char* flow_counts = "flow_counts";

std::uint64_t count_in(const Json& row, const char* name) { return row[name].get<std::uint64_t>(); }

}  // namespace

void add_flow_counts(Json& counts, std::uint64_t first, std::span<const FlowCount> flows) {
    Json& rows = counts[flow_counts];
    for (const FlowCount& flow : flows)
        rows[std::to_string(first++)] = {{"port", flow.port}, {"sent", flow.sent}, {"answered", flow.answered}};
}

void share_flows(Json& summary, const char* of, bool per_flow) {
    const auto found = summary.find(flow_counts);
    if (found == summary.end()) return;
    const Json rows = std::move(*found);
    summary.erase(flow_counts);
    double sum = 0, squares = 0, least = INFINITY, most = 0;
    for (const auto& [number, row] : rows.items()) {
        const auto value = static_cast<double>(count_in(row, of));
        sum += value;
        squares += value * value;
        least = std::min(least, value);
        most = std::max(most, value);
    }
    const auto flows = static_cast<double>(rows.size());
    summary["flow_shares"] = {{"flows", rows.size()},
                              {"of", of},
                              {"least", ratio(least, sum)},
                              {"most", ratio(most, sum)},
                              {"jain", sum > 0 ? Json(sum * sum / (flows * squares)) : Json()}};
    if (!per_flow) return;
    Json list = Json::array();
    for (std::size_t number = 0; number < rows.size(); ++number) {
        Json row = rows[std::to_string(number)];
        row["flow"] = number;
        row["share"] = ratio(static_cast<double>(count_in(row, of)), sum);
        if (std::string_view(of) == "sent") row.erase("answered");
        list.push_back(std::move(row));
    }
    summary["per_flow"] = std::move(list);
}

std::vector<std::string> flow_lines(const Json& summary) {
    const auto found = summary.find("flow_shares");
    if (found == summary.end() || (*found)["jain"].is_null()) return {};
    const Json& shares = *found;
    std::vector<std::string> lines{fmt::format("{} flows: shares {:.3g} to {:.3g} % of {}, fairness (Jain) {:.4f}",
                                               grouped(count_in(shares, "flows")), 100 * shares["least"].get<double>(),
                                               100 * shares["most"].get<double>(), shares["of"].get<std::string>(),
                                               shares["jain"].get<double>())};
    const auto rows = summary.find("per_flow");
    if (rows == summary.end()) return lines;
    for (const Json& row : *rows) {
        std::string line = fmt::format("flow {:>5}  port {:>5}  sent {:>13}", count_in(row, "flow"),
                                       count_in(row, "port"), grouped(count_in(row, "sent")));
        if (row.contains("answered")) line += fmt::format("  answered {:>13}", grouped(count_in(row, "answered")));
        lines.push_back(line + fmt::format("  {:.3g} %", 100 * row["share"].get<double>()));
    }
    return lines;
}

}  // namespace ringpost::apps
