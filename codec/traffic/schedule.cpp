// Poisson arrivals under a profile: draws gaps of a process of rate 1, and maps them to time with the profile (time
// rescaling; Cinlar 1975).

#include "codec/traffic/schedule.hpp"

#include <cmath>

#include "codec/base/check.hpp"

namespace ringpost::traffic {

Schedule::Schedule(const ScheduleOptions& options)
    : options_(options),
      period_ns_(1e9 * options.burst / options.rate_per_s),
      random_(options.seed),
      next_(options.start) {
    RINGPOST_CHECK(options.burst > 0 && options.share_of > 0);
    if (options.recording != nullptr) {
        next_ = options.start + options.recording->at(0);
    } else if (options.profile != nullptr) {
        // At a fixed rate the first datagram is due at once, or as soon as the profile's rate is above 0.
        const double first = options.arrivals == Arrivals::poisson ? gap() * options.burst : 0;
        const auto at = options.profile->after(0, first);
        passed_ = at.value_or(0);
        at ? place(passed_) : void(next_ = never);
    } else if (options.arrivals == Arrivals::poisson) {
        passed_ = gap() * period_ns_;
        place(passed_);
    }
    for (std::size_t i = 0; i < options.share_index; ++i) step();
}

void Schedule::advance() {
    for (std::size_t i = 0; i < options_.share_of; ++i) step();
}

std::span<const Instant> Schedule::take(Instant until, std::span<Instant> out) {
    const bool evenly = options_.profile == nullptr && options_.recording == nullptr &&
                        options_.arrivals == Arrivals::fixed && options_.burst == 1 && options_.share_of == 1;
    std::size_t count = 0;
    if (evenly) {
        double passed = passed_;
        Instant next = next_;
        for (; count < out.size() && next <= until; next = due_at(++passed * period_ns_)) out[count++] = next;
        passed_ = passed;
        next_ = next;
    } else {
        for (; count < out.size() && next_ <= until; advance()) out[count++] = next_;
    }
    return out.first(count);
}

void Schedule::step() {
    if (options_.recording != nullptr) {
        next_ = options_.start + options_.recording->at(++recorded_);
        return;
    }
    if (next_ == never || ++in_burst_ < options_.burst) return;
    in_burst_ = 0;
    if (options_.profile != nullptr) {
        const auto at = options_.profile->after(passed_, gap() * options_.burst);
        passed_ = at.value_or(passed_);
        at ? place(passed_) : void(next_ = never);
    } else if (options_.arrivals == Arrivals::fixed) {
        // Multiplies rather than adds, so that rounding errors do not accumulate.
        place(++passed_ * period_ns_);
    } else {
        passed_ += gap() * period_ns_;
        place(passed_);
    }
}

std::uint64_t Schedule::count_due(Instant from, Instant until, std::uint64_t at_most) const {
    constexpr std::uint64_t counted_max = 1'000'000;
    Schedule ahead = *this;
    const auto mean_gap_since = [&](Instant first, std::uint64_t count) {
        return static_cast<double>(ahead.next() - first) / static_cast<double>(count);
    };
    std::uint64_t count = 0;
    for (; ahead.next() < std::min(from, until); ++count, ahead.advance())
        if (count == counted_max) {
            const double gaps = static_cast<double>(until - std::min(from, until)) / mean_gap_since(next(), count);
            return std::min(static_cast<std::uint64_t>(gaps), at_most);
        }
    const Instant first = ahead.next();
    count = 0;
    for (; ahead.next() < until && count < at_most; ++count, ahead.advance())
        if (count == counted_max) {
            count +=
                static_cast<std::uint64_t>(static_cast<double>(until - ahead.next()) / mean_gap_since(first, count));
            break;
        }
    return std::min(count, at_most);
}

Instant Schedule::due_at(double offset_ns) const { return options_.start + static_cast<Duration>(offset_ns); }
void Schedule::place(double offset_ns) { next_ = due_at(offset_ns); }

/// In units of the mean gap. Poisson: by inversion (Devroye 1986, II.2), -ln(u) with u in (0, 1].
double Schedule::gap() { return options_.arrivals == Arrivals::fixed ? 1 : -std::log(1 - random_.fraction()); }

}  // namespace ringpost::traffic
