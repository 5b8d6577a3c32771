#include "apps/measuring/one_way.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "engine/os/clock.hpp"

namespace ringpost::apps {

Duration one_way_offset() {
    // The wall clock is read first. A delay before the other read makes the offset too small, so the largest is the
    // best.
    Duration offset = unix_offset();
    for (int i = 0; i < 64; ++i) offset = std::max(offset, unix_offset());
    return offset;
}

std::string one_way_text(const Json& summary) {
    const Json& us = summary["one_way_us"];
    const auto real = [&](const char* name) { return us[name].get<double>(); };
    std::string text = "one way   nothing measured";
    if (!us["p50"].is_null())
        text = fmt::format("one way   min {:.1f}  p50 {:.1f}  p99 {:.1f}  p99.9 {:.1f}  max {:.1f} us", real("min"),
                           real("p50"), real("p99"), real("p999"), real("max"));
    const auto before_sent = summary["before_sent"].get<std::uint64_t>();
    const auto clock_apart = summary["clock_apart"].get<std::uint64_t>();
    text += before_sent == 0 ? "; clock difference: none observed"
                             : fmt::format("; clock difference: at least {:.1f} us, {} arrived before they were due",
                                           summary["before_sent_max_us"].get<double>(), grouped(before_sent));
    if (clock_apart > 0)
        text += fmt::format("; {} more than a minute apart, as with a sender without --one-way", grouped(clock_apart));
    return text;
}

}  // namespace ringpost::apps
