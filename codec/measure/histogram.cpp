// Recording is inline in the header, because it is on the measured path. Here, percentile() converts the percentage to
// a rank and walks the buckets in ascending order until that many durations have been passed.

#include "codec/measure/histogram.hpp"

#include <cmath>
#include <numeric>

#include "codec/base/check.hpp"

namespace ringpost {
namespace {

/// The rank of a percentile above 0 among `count` values. It steps towards zero first: the rank of 99.9 % of 1000 must
/// be 999, but the product rounds to 999.0000000000001, and thus up to 1000.
std::uint64_t rank_of(double percent, std::uint64_t count) {
    const double share = std::nextafter(std::min(percent, 100.0), 0.0) / 100;
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count))), 1,
                                     count);
}

}  // namespace

void Histogram::Totals::add(const Totals& other) {
    count += other.count;
    saturated += other.saturated;
    min = std::min(min, other.min);
    max = std::max(max, other.max);
    sum_low += other.sum_low;
    sum_high += other.sum_high + (sum_low < other.sum_low);
}

Histogram::Histogram(std::span<const std::uint64_t> counts, const Totals& totals) : Histogram() {
    RINGPOST_CHECK(counts.size() == bucket_count());
    RINGPOST_CHECK(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}) == totals.count);
    std::ranges::copy(counts, &counts_[0]);
    totals_ = totals;
}

Histogram::Histogram(const Histogram& other) : Histogram() { copy_counts(other); }

Histogram& Histogram::operator=(const Histogram& other) {
    if (this == &other) return *this;
    reset();
    copy_counts(other);
    return *this;
}

/// Into an empty one.
void Histogram::copy_counts(const Histogram& other) {
    const Used used = other.used();
    std::copy(&other.counts_[0] + used.begin, &other.counts_[0] + used.end, &counts_[0] + used.begin);
    totals_ = other.totals_;
}

double Histogram::mean() const {
    if (totals_.count == 0) return 0;
    const double sum = std::ldexp(static_cast<double>(totals_.sum_high), 64) + static_cast<double>(totals_.sum_low);
    return sum / static_cast<double>(totals_.count);
}

Duration Histogram::percentile(double percent) const {
    if (totals_.count == 0) return 0;
    if (!(percent > 0)) return min();
    if (percent >= 100) return max();

    return at_rank(rank_of(percent, totals_.count));
}

Duration Histogram::at_rank(std::uint64_t rank) const {
    std::uint64_t passed = 0;
    const Used used = this->used();
    for (std::size_t index = used.begin; index < used.end; ++index) {
        passed += counts_[index];
        if (passed < rank) continue;
        if (index == top_index() && totals_.saturated != 0) break;
        return std::min(highest_of(index), max());
    }
    return max();
}

void Histogram::record_bucket(std::size_t index, std::uint64_t times) {
    if (times == 0) return;
    counts_[std::min(index, top_index())] += times;
    totals_.count += times;
    if (index > top_index()) totals_.saturated += times;
    totals_.min = std::min(totals_.min, static_cast<std::uint64_t>(lowest_of(index)));
    totals_.max = std::max(totals_.max, static_cast<std::uint64_t>(highest_of(index)));
    __extension__ using Wide = unsigned __int128;
    const Wide added = Wide{static_cast<std::uint64_t>(middle_of(index))} * times;
    const Wide sum = ((Wide{totals_.sum_high} << 64) | totals_.sum_low) + added;
    totals_.sum_low = static_cast<std::uint64_t>(sum);
    totals_.sum_high = static_cast<std::uint64_t>(sum >> 64);
}

void Histogram::merge(const Histogram& other) {
    const Used used = other.used();
    for (std::size_t index = used.begin; index < used.end; ++index) counts_[index] += other.counts_[index];
    totals_.add(other.totals_);
}

void Histogram::reset() {
    const Used used = this->used();
    std::fill(&counts_[0] + used.begin, &counts_[0] + used.end, 0);
    totals_ = {};
}

std::optional<Duration> percentile_with_lost(const Histogram& histogram, double percent, std::uint64_t lost) {
    if (lost == 0 || !(percent > 0)) {
        if (histogram.count() == 0) return std::nullopt;
        return histogram.percentile(percent);
    }
    const std::uint64_t rank = rank_of(percent, histogram.count() + lost);
    if (percent >= 100 || rank > histogram.count()) return std::nullopt;
    return histogram.at_rank(rank);
}

}  // namespace ringpost
