// Two clocks are compared by bracketing: a read of one clock between two reads of the other happened at their midpoint,
// plus or minus half their distance. An interrupt only widens the bracket, so the tightest of many tries is used.
//
// Calibration compares the counter with CLOCK_MONOTONIC twice, calibration_ns apart. With brackets of about 50 ns, the
// rate is accurate to about 20 ppm, usually much better; clock_report() measures the actual drift.

#include "engine/os/clock.hpp"

#include <ringpost/clock.hpp>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string_view>

namespace ringpost {
namespace {

constexpr Duration calibration_ns = 2 * millisecond;
constexpr Duration drift_since_min = 20 * millisecond;
constexpr int bracket_tries = 200;
constexpr int unix_tries = 4;
constexpr Duration unix_bracket_enough_ns = microsecond;
constexpr std::size_t cost_batches = 101;  // odd: one of them is the median
constexpr int reads_per_batch = 64;

/// Cost of one read: the median of many batches, each short enough to be rarely interrupted.
template <class Read>
double read_cost_ns(Read read) {
    std::array<Duration, cost_batches> took{};
    for (Duration& batch : took) {
        const Instant from = monotonic_now();
        for (int i = 0; i < reads_per_batch; ++i) {
            const Instant at = read();
            asm volatile("" : : "r"(at));  // keeps the compiler from removing the computation
        }
        batch = monotonic_now() - from;
    }
    std::ranges::nth_element(took, took.begin() + cost_batches / 2);
    return static_cast<double>(took[cost_batches / 2]) / reads_per_batch;
}

/// Simultaneous readings of two clocks.
struct Pair {
    std::int64_t outer = 0, inner = 0;
    std::int64_t width = std::numeric_limits<std::int64_t>::max();  ///< of the bracket, in units of the outer clock
};

/// Returns the tightest bracket of up to `tries`; stops at the first of width `enough` or less.
template <class Outer, class Inner>
Pair bracket(int tries, std::int64_t enough, Outer outer, Inner inner) {
    Pair best;
    for (int i = 0; i < tries && best.width > enough; ++i) {
        const std::int64_t before = outer();
        const std::int64_t between = inner();
        const std::int64_t width = outer() - before;
        if (width >= 0 && width < best.width) best = {before + width / 2, between, width};
    }
    return best;
}

Instant wall_now() {
    timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return Instant{t.tv_sec} * second + t.tv_nsec;
}

/// The measurements of choose_clock().
struct ClockChoice {
    bool made = false;
    double vdso_read_ns = 0, tsc_read_ns = 0;
    Instant at = 0;  // CLOCK_MONOTONIC
};
ClockChoice clock_choice;

#if defined(__x86_64__)
/// Whether the kernel's own clock source is based on the TSC, natively or paravirtualized. If the kernel detects that
/// the counters of the processors differ, it switches to another source.
bool kernel_trusts_tsc() {
    std::array<char, 64> text{};
    const int fd = ::open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return true;  // unknown
    const ssize_t count = ::read(fd, text.data(), text.size());
    ::close(fd);
    std::string_view name(text.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    while (name.ends_with('\n')) name.remove_suffix(1);
    return name == "tsc" || name == "kvm-clock" || name == "hyperv_clocksource_tsc_page" || name == "xen";
}

/// Whether the rate is independent of frequency scaling and sleep states (AMD APM volume 3, Intel SDM volume 2, CPUID).
bool tsc_is_invariant() {
    constexpr unsigned power_management_leaf = 0x8000'0007u, invariant_tsc = 1u << 8;
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(power_management_leaf, &a, &b, &c, &d) != 0 && (d & invariant_tsc) != 0 && kernel_trusts_tsc();
}

/// Sets tsc_scale. False on failure.
bool calibrate_tsc() {
    const auto ticks = [] { return static_cast<std::int64_t>(__rdtsc()); };
    const Pair first = bracket(bracket_tries, 0, ticks, monotonic_now);
    while (monotonic_now() - first.inner < calibration_ns) {
    }
    const Pair last = bracket(bracket_tries, 0, ticks, monotonic_now);
    if (last.outer <= first.outer) return false;
    const double rate = static_cast<double>(last.inner - first.inner) / static_cast<double>(last.outer - first.outer);
    tsc_scale.ticks_at_start = static_cast<std::uint64_t>(last.outer);
    tsc_scale.start = last.inner;
    tsc_scale.ns_per_tick = static_cast<std::int64_t>(rate * static_cast<double>(1ull << tsc_fraction_bits));
    return true;
}
#else
bool tsc_is_invariant() { return false; }
bool calibrate_tsc() { return false; }
#endif

}  // namespace

void choose_clock() {
    if (clock_choice.made) return;
    clock_choice.made = true;
    clock_choice.vdso_read_ns = read_cost_ns([] { return monotonic_now(); });
    if (tsc_is_invariant() && calibrate_tsc()) {
        clock_choice.tsc_read_ns = read_cost_ns([] { return tsc_now(); });
        if (clock_choice.tsc_read_ns < clock_choice.vdso_read_ns) {
            // The counter may lag by half a bracket. Never go back behind an Instant that was already returned.
            const Instant latest = monotonic_now();
            tsc_scale.start += std::max<Duration>(latest - tsc_now(), 0);
            tsc_scale.chosen = true;
        }
    }
    clock_choice.at = monotonic_now();
}

ClockReport clock_report() {
    ClockReport report{.read_ns = clock_choice.vdso_read_ns, .other_read_ns = clock_choice.tsc_read_ns};
    if (!tsc_scale.chosen) return report;
    report.source = ClockReport::Source::tsc;
    std::swap(report.read_ns, report.other_read_ns);
    const Pair same = bracket(bracket_tries, 0, now, monotonic_now);
    report.error_ns = same.outer - same.inner;
    report.error_ppm = static_cast<double>(report.error_ns) * 1e6 /
                       static_cast<double>(std::max(same.inner - clock_choice.at, drift_since_min));
    return report;
}

Duration unix_offset() {
    const Pair same = bracket(unix_tries, unix_bracket_enough_ns, now, wall_now);
    return same.inner - same.outer;
}

Instant Clock::now() { return ringpost::now(); }
Instant Clock::after(Duration timeout) { return deadline_after(timeout); }

}  // namespace ringpost
