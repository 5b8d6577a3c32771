#pragma once

// --one-way: due times by the wall clock, and what a sink makes of them.

#include <string>

#include "apps/cli/report.hpp"

namespace ringpost::apps {

/// What to add to now() for nanoseconds since 1970, which is by what both ends tell due times. Two processes of one
/// host come to the same within some tens of nanoseconds.
Duration one_way_offset();

/// To be said at the start.
inline constexpr const char* one_way_warning =
    "one-way times compare the clocks of two machines and are wrong by what these differ; on one machine they are "
    "exact";

/// The `one_way_us`, `before_sent`, `before_sent_max_us` and `clock_apart` of a sink's summary as a line of text.
std::string one_way_text(const Json& summary);

}  // namespace ringpost::apps
