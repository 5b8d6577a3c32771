#pragma once

#include <cstddef>
#include <string>

#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

/// A histogram as one line of bars with a line of labels below. The columns are logarithmic (1, 2, 5, 10...) and cover
/// whole decades, from that of `from_ns` to that of `until_ns`. The height of a bar is relative to the largest column;
/// every non-empty column has a bar.
struct Spectrum {
    std::string bars;    ///< U+2581 to U+2588 in UTF-8, or ASCII; empty if `width` is too small or nothing was recorded
    std::string labels;  ///< ASCII
};
Spectrum spectrum_of(const Histogram& histogram, Duration from_ns, Duration until_ns, std::size_t width, bool utf8);

}  // namespace ringpost::apps
