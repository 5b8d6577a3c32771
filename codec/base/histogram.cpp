// Recording is in the header, because it is on the path being measured. Here is what reads the counts: percentile()
// turns the percentage into a rank and walks the buckets, shortest first, until that many durations are behind it.

#include "codec/base/histogram.hpp"

#include <cmath>

namespace ringpost {

double Histogram::mean() const {
    if (count_ == 0) return 0;
    const double sum = std::ldexp(static_cast<double>(sum_high_), 64) + static_cast<double>(sum_low_);
    return sum / static_cast<double>(count_);
}

Duration Histogram::percentile(double percent) const {
    if (count_ == 0) return 0;
    if (!(percent > 0)) return min();
    if (percent >= 100) return max();

    // One step towards zero first: 99.9 % of 1000 has to be rank 999, not the 1000 that rounding up
    // 999.0000000000001 would give.
    const double share = std::nextafter(percent, 0.0) / 100;
    const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));

    std::uint64_t passed = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
        passed += counts_[index];
        if (passed < rank || passed == 0) continue;
        if (index == top_index() && saturated_ != 0) break;
        return std::min(highest_of(index), max());
    }
    return max();
}

void Histogram::record_bucket(std::size_t index, std::uint64_t times) {
    if (times == 0) return;
    counts_[std::min(index, top_index())] += times;
    count_ += times;
    if (index > top_index()) saturated_ += times;
    min_ = std::min(min_, static_cast<std::uint64_t>(lowest_of(index)));
    max_ = std::max(max_, static_cast<std::uint64_t>(highest_of(index)));
    __extension__ using Wide = unsigned __int128;
    const Wide added = Wide{static_cast<std::uint64_t>(middle_of(index))} * times;
    const Wide sum = ((Wide{sum_high_} << 64) | sum_low_) + added;
    sum_low_ = static_cast<std::uint64_t>(sum);
    sum_high_ = static_cast<std::uint64_t>(sum >> 64);
}

void Histogram::merge(const Histogram& other) {
    for (std::size_t index = 0; index < counts_.size(); ++index) counts_[index] += other.counts_[index];
    count_ += other.count_;
    saturated_ += other.saturated_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
    const std::uint64_t added = other.sum_low_;
    sum_low_ += added;
    sum_high_ += other.sum_high_ + (sum_low_ < added);
}

void Histogram::reset() {
    std::fill(counts_.begin(), counts_.end(), 0);
    count_ = saturated_ = max_ = sum_low_ = sum_high_ = 0;
    min_ = UINT64_MAX;
}

}  // namespace ringpost
