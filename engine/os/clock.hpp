#pragma once

#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include <cstdint>

#include <ringpost/time.hpp>

namespace ringpost {

/// CLOCK_MONOTONIC through the vDSO.
inline Instant monotonic_now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return Instant{t.tv_sec} * second + t.tv_nsec;
}

/// Conversion from time-stamp counter ticks to nanoseconds. Written only by choose_clock().
struct TscScale {
    bool chosen = false;  ///< now() uses the counter
    std::uint64_t ticks_at_start = 0;
    Instant start = 0;             ///< CLOCK_MONOTONIC at that tick
    std::int64_t ns_per_tick = 0;  ///< times 2^tsc_fraction_bits
};
inline constexpr int tsc_fraction_bits = 40;
inline constinit TscScale tsc_scale;

#if defined(__x86_64__)
/// The counter of the current core as an Instant.
inline Instant tsc_now() {
    __extension__ using Wide = __int128;
    const auto ticks = static_cast<std::int64_t>(__rdtsc() - tsc_scale.ticks_at_start);
    return tsc_scale.start + static_cast<Instant>((Wide{ticks} * tsc_scale.ns_per_tick) >> tsc_fraction_bits);
}
#else
inline Instant tsc_now() { return monotonic_now(); }  // never chosen
#endif

/// The clock of every Instant: CLOCK_MONOTONIC, or the time-stamp counter if choose_clock() selected it. May drift from
/// CLOCK_MONOTONIC, so kernel waits use relative timeouts. The loop reads it once per turn.
inline Instant now() { return tsc_scale.chosen ? tsc_now() : monotonic_now(); }

/// Measures the read cost of both clocks and selects the cheaper one for now(). now() continues from CLOCK_MONOTONIC
/// and never goes back. Considers the counter only on x86-64 and only if it is invariant; calibrating it takes 2 ms.
/// For programs that measure latency; call it before starting threads. Idempotent.
void choose_clock();

struct ClockReport {
    enum class Source : std::uint8_t { vdso, tsc };
    Source source = Source::vdso;
    double read_ns = 0;        ///< cost of now(); 0 before choose_clock()
    double other_read_ns = 0;  ///< cost with the other source; 0 if there is none
    double error_ppm = 0;      ///< error_ns relative to the time since choose_clock(), which counts as at least 20 ms
    Duration error_ns = 0;     ///< how far now() is ahead of CLOCK_MONOTONIC
};
ClockReport clock_report();

/// now() + timeout, saturating at `never`.
inline Instant deadline_after(Duration timeout) {
    const Instant at = now();
    return timeout < never - at ? at + timeout : never;
}

/// Add this to now() to get nanoseconds since 1970. Changes when the wall clock is stepped. Accurate to 0.5 us unless
/// the thread is interrupted at every try.
Duration unix_offset();

}  // namespace ringpost
