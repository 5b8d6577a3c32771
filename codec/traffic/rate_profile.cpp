// The number of datagrams due is the integral of the rate: over a segment in which the rate changes linearly from r to
// s per nanosecond, the area of a trapezoid. The time at which a number is reached is found by skipping whole segments
// and solving r x + (s - r) / (2 length) x^2 = number in the last one.

#include "codec/traffic/rate_profile.hpp"

#include <algorithm>
#include <cmath>

namespace ringpost::traffic {
namespace {

struct Piece {
    double length_ns, first, last;  ///< rates per nanosecond

    double number() const { return length_ns * (first + last) / 2; }
    /// Time at which `number`, which is less than number(), is reached. Uses the numerically stable form of the root.
    double time_of(double number) const {
        const double slope = (last - first) / length_ns;
        const double root = std::sqrt(std::max(first * first + 2 * slope * number, 0.0));
        return first + root > 0 ? std::min(2 * number / (first + root), length_ns) : 0;
    }
};

Piece piece_from(const RatePoint& left, const RatePoint& right, double from_ns) {
    const auto begin = static_cast<double>(left.at), end = static_cast<double>(right.at);
    const double first = left.rate_per_s / 1e9, last = right.rate_per_s / 1e9;
    const double passed = std::max(from_ns - begin, 0.0);
    const double share = end > begin ? passed / (end - begin) : 1;
    return {end - begin - passed, first + (last - first) * share, last};
}

}  // namespace

std::optional<RateProfile> RateProfile::make(std::span<const RatePoint> points) {
    if (points.size() < 2 || points.front().at < 0) return std::nullopt;
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (!(points[i].rate_per_s >= 0) || !std::isfinite(points[i].rate_per_s)) return std::nullopt;
        if (i > 0 && points[i].at < points[i - 1].at) return std::nullopt;
    }
    const RateProfile profile(points);
    return profile.total() > 0 ? std::optional(profile) : std::nullopt;
}

double RateProfile::highest_rate() const {
    return std::ranges::max_element(points_, {}, &RatePoint::rate_per_s)->rate_per_s;
}

double RateProfile::total() const {
    double total = 0;
    for (std::size_t i = 1; i < points_.size(); ++i)
        total += piece_from(points_[i - 1], points_[i], static_cast<double>(points_[i - 1].at)).number();
    return total;
}

std::optional<double> RateProfile::after(double from_ns, double count) const {
    for (std::size_t i = 1; i < points_.size(); ++i) {
        if (static_cast<double>(points_[i].at) <= from_ns) continue;
        const double begin = std::max(from_ns, static_cast<double>(points_[i - 1].at));
        const Piece piece = piece_from(points_[i - 1], points_[i], begin);
        const double number = piece.number();
        if (count < number) {
            const double at = begin + piece.time_of(count);
            // Rounding must not move a time at the end to before the end.
            return at + 1 < static_cast<double>(end()) ? std::optional(at) : std::nullopt;
        }
        count -= number;
    }
    return std::nullopt;
}

}  // namespace ringpost::traffic
