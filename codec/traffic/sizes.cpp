// One draw per datagram. A weighted list is scanned linearly: lists are short, and a datagram of its own size costs a
// system call anyway.

#include "codec/traffic/sizes.hpp"

#include <algorithm>
#include <utility>

#include "codec/base/check.hpp"
#include "codec/base/limits.hpp"

namespace ringpost::traffic {
namespace {

bool fits_datagram(std::size_t bytes) { return bytes >= 1 && bytes <= limits::datagram_bytes_max; }

}  // namespace

Sizes Sizes::fixed(std::size_t bytes) {
    RINGPOST_CHECK(fits_datagram(bytes));
    return {bytes, bytes};
}

std::expected<Sizes, SizesError> Sizes::range(std::size_t first, std::size_t last) {
    if (!fits_datagram(first) || !fits_datagram(last)) return std::unexpected(SizesError::out_of_range);
    if (last < first) return std::unexpected(SizesError::backwards);
    return Sizes(first, last);
}

std::expected<Sizes, SizesError> Sizes::weighted(std::vector<Weighted> list) {
    if (list.empty() || list.size() > limits::load_sizes_max) return std::unexpected(SizesError::count);
    Sizes sizes(list.front().bytes, list.front().bytes);
    for (const auto& [bytes, weight] : list) {
        if (!fits_datagram(bytes)) return std::unexpected(SizesError::out_of_range);
        if (weight == 0 || weight > weight_max) return std::unexpected(SizesError::weights);
        sizes.smallest_ = std::min(sizes.smallest_, bytes);
        sizes.largest_ = std::max(sizes.largest_, bytes);
        sizes.weights_ += weight;
    }
    sizes.list_ = std::move(list);
    return sizes;
}

Sizes Sizes::imix() { return *weighted({{24, 7}, {548, 4}, {1'472, 1}}); }

double Sizes::mean() const {
    if (list_.empty()) return static_cast<double>(smallest_ + largest_) / 2;
    double sum = 0;
    for (const auto& [bytes, weight] : list_) sum += static_cast<double>(bytes * weight);
    return sum / static_cast<double>(weights_);
}

std::size_t Sizes::draw(SplitMix64& random) const {
    if (is_fixed()) return smallest_;
    if (list_.empty()) return smallest_ + random.below(largest_ - smallest_ + 1);
    std::uint64_t left = random.below(weights_);
    auto at = list_.begin();
    while (left >= at->weight) left -= (at++)->weight;
    return at->bytes;
}

}  // namespace ringpost::traffic
