#pragma once

#include "apps/measuring/monitor.hpp"
#include "apps/measuring/options.hpp"
#include "apps/measuring/outcome.hpp"

namespace ringpost::apps {

struct LoadOptions : MeasureOptions {
    Duration duration = 5 * second;
    bool verify = true;
    bool one_way = false;
    bool bidirectional = false;
};

RunShape shape_of(const LoadOptions& options);

/// What this process's engines come to. Told of in the counts, beside the engines' own: `bytes_sent`, `unexpected`,
/// `trains`, `refused` (engines whose peer said at once that nobody is there), gtUDP's, and with --bidirectional what
/// came `back_`.
Outcome measure_load(const LoadOptions& options, const Address& target, const Agents& agents, Monitor& monitor,
                     const Report& report);

}  // namespace ringpost::apps
