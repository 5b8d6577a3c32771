#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/cli/report.hpp"

namespace ringpost::apps {

struct FlowCount {
    std::uint16_t port = 0;
    std::uint64_t sent = 0, answered = 0;
};

/// The counts of this engine's flows, the first of which has the number `first`, as a member of the counts of an
/// Outcome.
void add_flow_counts(Json& counts, std::uint64_t first, std::span<const FlowCount> flows);

/// Replaces the member that add_flow_counts() made by `flow_shares`: the smallest and the largest share of a flow, and
/// Jain's index of fairness, which is 1 if all are equal, and 1/n if one of n has all (Jain, Chiu and Hawe 1984). With
/// `per_flow` also by `per_flow`: a row for each flow. `of` is `sent` or `answered`.
void share_flows(Json& summary, const char* of, bool per_flow);

/// `4 flows     shares 24.1 to 26.3 % of answered, fairness (Jain) 0.998`, and the rows; nothing if there are none.
std::vector<std::string> flow_lines(const Json& summary);

}  // namespace ringpost::apps
