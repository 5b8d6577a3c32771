// A decade has steps that start at 1, 2 and 5 times its power of ten. The first step of all includes everything below,
// the last everything above. A bucket of the histogram belongs to the step of its lower bound. All columns have the
// same width, the largest that fits.

#include "apps/measuring/spectrum.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace ringpost::apps {
namespace {

constexpr std::size_t decade_steps = 3;
constexpr std::size_t column_cells_max = 4;
constexpr std::size_t heights = 8;
constexpr std::array<const char*, heights> block_bars{"\u2581", "\u2582", "\u2583", "\u2584",
                                                      "\u2585", "\u2586", "\u2587", "\u2588"};
constexpr std::array<const char*, heights> characters{".", ":", "-", "=", "+", "*", "#", "@"};

/// The exponent of the largest power of ten, in nanoseconds, that is not above the duration.
unsigned decade_of(Duration ns) {
    unsigned decade = 0;
    for (Duration rest = std::min(ns, Histogram::trackable_ns_max); rest >= 10; rest /= 10) ++decade;
    return decade;
}

std::string decade_text(unsigned decade) {
    constexpr std::array units{"ns", "us", "ms", "s"};
    constexpr std::array tens{1, 10, 100};
    return fmt::format("{} {}", tens[decade % tens.size()], units[decade / tens.size()]);
}

std::size_t step_of(Duration ns, unsigned first_decade) {
    const unsigned decade = decade_of(ns);
    if (decade < first_decade) return 0;
    Duration power = 1;
    for (unsigned i = 0; i < decade; ++i) power *= 10;
    return (decade - first_decade) * decade_steps + (ns >= 5 * power ? 2 : ns >= 2 * power ? 1 : 0);
}

}  // namespace

Spectrum spectrum_of(const Histogram& histogram, Duration from_ns, Duration until_ns, std::size_t width, bool utf8) {
    const unsigned first = decade_of(from_ns);
    const unsigned last = std::max(decade_of(until_ns), first);
    std::vector<std::uint64_t> counts((last - first + 1) * decade_steps);
    if (histogram.count() == 0 || counts.size() > width) return {};
    histogram.for_each_bucket([&](Duration lowest, Duration, std::uint64_t count) {
        counts[std::min(step_of(lowest, first), counts.size() - 1)] += count;
    });

    const std::size_t cells = std::min(width / counts.size(), column_cells_max);
    const auto largest = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
    Spectrum out;
    for (const std::uint64_t count : counts) {
        const double height = std::ceil(static_cast<double>(count) / largest * heights);
        const char* bar = count == 0 ? " " : (utf8 ? block_bars : characters)[static_cast<std::size_t>(height) - 1];
        for (std::size_t cell = 0; cell < cells; ++cell) out.bars += bar;
    }
    for (unsigned decade = first; decade <= last; ++decade) {
        const std::size_t at = (decade - first) * decade_steps * cells;
        const std::string label = decade_text(decade);
        // Leaves out a label that would touch the one before it or extend past the bars.
        const bool free = out.labels.empty() || out.labels.size() < at;
        if (!free || at + label.size() > counts.size() * cells) continue;
        out.labels.resize(at, ' ');
        out.labels += label;
    }
    return out;
}

}  // namespace ringpost::apps
