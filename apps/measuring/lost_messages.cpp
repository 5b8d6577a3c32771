#include "apps/measuring/lost_messages.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace ringpost::apps {

int print_lost_messages(const Report& report, const Json& summary, const VerdictOptions& options, int verdict) {
    if (!summary.contains("transport") || verdict == Exit::breach) return verdict;
    const auto on_loss = [](const Condition& condition) { return condition.figure == "loss"; };
    const auto lost = summary["lost"].get<std::uint64_t>();
    if (lost == 0 || std::ranges::any_of(parse_conditions(options.fail_if), on_loss)) return verdict;
    report.print(fmt::format("FAILED: {} of {} messages were lost; --fail-if 'loss>SHARE' allows a share",
                             grouped(lost), grouped(summary["sent"].get<std::uint64_t>())));
    return Exit::failed;
}

}  // namespace ringpost::apps
