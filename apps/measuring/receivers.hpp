#pragma once

#include <string>
#include <vector>

#include "apps/cli/report.hpp"
#include "codec/traffic/receiver_table.hpp"

namespace ringpost::apps {

/// The rows of one engine, as a member of the counts of an Outcome.
void add_receiver_counts(Json& counts, const traffic::ReceiverTable& receivers);

/// Replaces the member that add_receiver_counts() made by `receivers`: a row for each, with the percentiles of its
/// responses, which are exact to a thousandth.
void summarize_receivers(Json& summary);

/// A line for each; nothing if there are none.
std::vector<std::string> receiver_lines(const Json& summary);

}  // namespace ringpost::apps
