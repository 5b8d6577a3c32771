#pragma once

// --one-way: due times by the wall clock.

#include <string>

#include "apps/cli/report.hpp"

namespace ringpost::apps {

/// The offset from now() to nanoseconds since 1970, the time base of due times at both ends. Two processes on one host
/// agree within some tens of nanoseconds.
Duration one_way_offset();

/// Printed at the start.
inline constexpr const char* one_way_warning =
    "one-way times include the difference between the clocks of both machines; on one machine they are exact";

/// The `one_way_us`, `before_sent`, `before_sent_max_us` and `clock_apart` of a sink's summary as a line of text.
std::string one_way_text(const Json& summary);

}  // namespace ringpost::apps
