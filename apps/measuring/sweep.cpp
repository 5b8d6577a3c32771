// --sweep: measures at rising rates until latency or loss degrades.

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/failure.hpp"
#include "apps/measuring/trial_modes.hpp"

namespace ringpost::apps {
namespace {

constexpr double sweep_first = 1'000;
constexpr double sweep_most = 1e8;
constexpr double knee_loss = 0.01;
constexpr double knee_times = 3;  // times the lowest rate's p50; higher percentiles are too noisy
constexpr int points_before_knee = 3;
constexpr int plot_columns = 50;

struct Point {
    double rate = 0;
    Json summary;
};

bool beyond_knee(const Point& point, const Point& lowest) {
    const auto p50 = percentile_of(point.summary, "p50"), calm = percentile_of(lowest.summary, "p50");
    return loss_of(point.summary) > knee_loss || !p50 || (calm && *p50 > *calm * knee_times);
}

/// Whether this machine sends the rate too late or not at all, so that it is not tested.
bool is_untested(const Point& point) {
    return unsent_share(point.summary) > unsent_max || !point.summary["valid"].get<bool>();
}

/// A bar for each rate, its length the logarithm of the p99.
void plot(const Report& report, const std::vector<Point>& points) {
    double least = 0, most = 0;
    for (const Point& point : points)
        if (const auto p99 = percentile_of(point.summary, "p99"); p99 && !std::isinf(*p99)) {
            least = least == 0 ? *p99 : std::min(least, *p99);
            most = std::max(most, *p99);
        }
    if (most == 0) return;
    report.print("");
    report.print(fmt::format("p99 at each rate, from {:.1f} to {:.1f} us on a logarithmic scale", least, most));
    for (const Point& point : points) {
        const double p99 = std::min(percentile_of(point.summary, "p99").value_or(most), most);
        const double share = most > least ? std::log(p99 / least) / std::log(most / least) : 0;
        const auto columns = static_cast<std::size_t>(1 + share * (plot_columns - 1));
        report.print(fmt::format("{:>12.0f} {}", point.rate, std::string(columns, '#')));
    }
}

}  // namespace

int sweep(const Report& report, const Trial& trial) {
    std::vector<Point> points;
    bool answered = false;
    std::string untested;  // why the lowest rate that is not tested is not
    // Returns false beyond the knee, at a rate that cannot be tested, or after a signal.
    const auto measure = [&](double rate) {
        for (int i = 0; i < tries; ++i) {
            const Point point{rate, trial({rate, {}})};
            if (received_signal() != 0) return false;
            answered |= has_answers(point.summary);
            const bool beyond = beyond_knee(point, points.empty() ? point : points.front());
            const bool again = (beyond || is_untested(point)) && i + 1 < tries;
            print_trial(report, rate, point.summary,
                        again                ? "again"
                        : is_untested(point) ? "cannot tell"
                        : beyond             ? "beyond the knee"
                                             : "");
            if (again) continue;
            if (is_untested(point)) {
                untested = point.summary["invalid_reason"].get<std::string>();
                return false;
            }
            points.push_back(point);
            return !beyond;
        }
        return false;
    };
    print_heading(report);
    double rate = sweep_first;
    while (rate < sweep_most && measure(rate)) rate *= 2;
    const double step = std::pow(2, 1.0 / (points_before_knee + 1));
    for (int i = 1; i <= points_before_knee && !points.empty() && received_signal() == 0; ++i)
        measure(rate / 2 * std::pow(step, i));
    std::ranges::sort(points, {}, &Point::rate);
    plot(report, points);
    // Noise may let a rate fail and a higher one pass. The knee lies before the first failure.
    double knee = 0;
    bool seen = false;  // a rate beyond the knee
    for (const Point& point : points) {
        seen = beyond_knee(point, points.front());
        if (seen) break;
        knee = point.rate;
    }
    const bool undecided = !seen && !untested.empty();
    if (received_signal() != 0)
        report.print(fmt::format("interrupted; knee so far: {}", rate_text(knee)));
    else if (!answered)
        report.print("no answer");
    else if (undecided)
        report.print(
            fmt::format("knee: at least {}; above that this machine cannot tell: {}", rate_text(knee), untested));
    else
        report.print(fmt::format("knee: latency and loss stay low up to {}", rate_text(knee)));
    report.event("summary", {{"knee_per_s", knee}, {"at_least", undecided}, {"trials", points.size()}});
    if (knee > 0) return Exit::done;
    if (!answered) return Exit::unreachable;
    return undecided ? Exit::cannot_tell : Exit::failed;
}

}  // namespace ringpost::apps
