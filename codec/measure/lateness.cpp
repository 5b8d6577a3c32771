#include "codec/measure/lateness.hpp"

#include <algorithm>

namespace ringpost {
namespace {

constexpr Duration lateness_share = 10;  // a tenth
constexpr Duration lateness_least = microsecond;

}  // namespace

Duration PercentileTimes::lateness() const {
    // The two histograms round differently by up to a thousandth.
    return response && service ? std::max<Duration>(*response - *service, 0) : 0;
}

bool PercentileTimes::stands() const {
    return !response || lateness() <= std::max(*response / lateness_share, lateness_least);
}

PercentileTimes percentile_times(const Histogram& response, const Histogram& service, double percent,
                                 std::uint64_t lost) {
    // Services are unknown of the slowest responses: those that came when their probes' places had been used again.
    const std::uint64_t unknown = response.count() - std::min(response.count(), service.count());
    return {percentile_with_lost(response, percent, lost), percentile_with_lost(service, percent, lost + unknown)};
}

}  // namespace ringpost
