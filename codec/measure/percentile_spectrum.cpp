// Walks the counts once. At each non-empty bucket, a point is added for every level that the durations so far reach.
// The next level is one tick further; a tick halves each time the distance to 100 % halves.

#include "codec/measure/percentile_spectrum.hpp"

#include <cmath>
#include <cstdio>

namespace ringpost {

namespace {

template <class... Values>
void print_to(std::string& out, const char* form, Values... values) {
    char line[160];
    const int length = std::snprintf(line, sizeof line, form, values...);
    out.append(line, static_cast<std::size_t>(length));
}

double level_after(double level, int ticks) {
    const double halvings = std::floor(std::log2(100 / (100 - level))) + 1;
    const double next = level + 100 / std::ldexp(ticks, static_cast<int>(halvings));
    return next > level ? next : 100;  // the tick may be too small to change the sum
}

/// printf rounds ties to even; HdrHistogram rounds them up.
double ties_up(double number) { return std::nextafter(number, HUGE_VAL); }

}  // namespace

std::vector<SpectrumPoint> percentile_spectrum(const Histogram& histogram, int ticks) {
    std::vector<SpectrumPoint> points;
    const auto total = static_cast<double>(histogram.count());
    const auto counts = histogram.bucket_counts();
    double level = 0;
    std::uint64_t passed = 0;
    for (std::size_t index = 0; index < counts.size() && passed < histogram.count(); ++index) {
        if (counts[index] == 0) continue;
        passed += counts[index];
        const bool last = passed == histogram.count();
        const double reached = 100 * static_cast<double>(passed) / total;
        // For the last bucket, one level and 100 % are enough. (Counts beyond 53 bits may round to 100 % before it.)
        for (bool added = false; level <= reached && level < 100 && !(last && added); added = true) {
            points.push_back({level, Histogram::highest_of(index), passed});
            level = level_after(level, ticks);
        }
        if (last) points.push_back({100, Histogram::highest_of(index), passed});
    }
    return points;
}

std::string percentile_spectrum_text(const Histogram& histogram, double unit_ns) {
    const auto scaled = [&](double ns) { return ties_up(ns / unit_ns); };
    std::string out = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
    for (const SpectrumPoint& point : percentile_spectrum(histogram)) {
        const double share = point.level / 100;
        print_to(out, "%12.3f %2.12f %10llu", scaled(static_cast<double>(point.value_ns)), ties_up(share),
                 static_cast<unsigned long long>(point.count));
        if (point.level < 100) print_to(out, " %14.2f", ties_up(1 / (1 - share)));
        out += '\n';
    }

    // Computed from bucket middles like HdrHistogram, which has no exact sum.
    const auto total = static_cast<double>(histogram.count());
    const auto counts = histogram.bucket_counts();
    const auto mean_of = [&](auto f) {
        double sum = 0;
        for (std::size_t index = 0; index < counts.size(); ++index) {
            if (counts[index] != 0)
                sum += static_cast<double>(counts[index]) * f(static_cast<double>(Histogram::middle_of(index)));
        }
        return total > 0 ? sum / total : 0;
    };
    const double mean = mean_of([](double ns) { return ns; });
    const double deviation = std::sqrt(mean_of([&](double ns) { return (ns - mean) * (ns - mean); }));
    print_to(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", scaled(mean), scaled(deviation));
    print_to(out, "#[Max     = %12.3f, Total count    = %12llu]\n", scaled(static_cast<double>(histogram.max())),
             static_cast<unsigned long long>(histogram.count()));
    print_to(out, "#[Buckets = %12u, SubBuckets     = %12u]\n", 26u, 2048u);
    return out;
}

}  // namespace ringpost
