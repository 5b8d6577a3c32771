#pragma once

#include <cstddef>
#include <string>

#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

/// A histogram as one line of bars and the labels to stand under it. The columns are logarithmic (1, 2, 5, 10...) and
/// cover whole decades from that of `from_ns` to that of `until_ns`; a bar is as high as its column's share of the
/// largest one, and whatever counted something has a bar.
struct Spectrum {
    std::string
        bars;  ///< U+2581 to U+2588 in UTF-8, or ASCII; empty where `width` cells are too few or nothing is there
    std::string labels;  ///< ASCII
};
Spectrum spectrum_of(const Histogram& histogram, Duration from_ns, Duration until_ns, std::size_t width, bool utf8);

}  // namespace ringpost::apps
