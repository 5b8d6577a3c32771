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

/// How the processor's time-stamp counter goes on from CLOCK_MONOTONIC. Written by choose_clock() alone.
struct TscScale {
    bool chosen = false;  ///< now() reads it
    std::uint64_t ticks_at_start = 0;
    Instant start = 0;             ///< CLOCK_MONOTONIC at that tick
    std::int64_t ns_per_tick = 0;  ///< times 2^tsc_fraction_bits
};
inline constexpr int tsc_fraction_bits = 40;
inline constinit TscScale tsc_scale;

#if defined(__x86_64__)
/// Whatever the counter says on this core, be it before the start.
inline Instant tsc_now() {
    __extension__ using Wide = __int128;
    const auto ticks = static_cast<std::int64_t>(__rdtsc() - tsc_scale.ticks_at_start);
    return tsc_scale.start + static_cast<Instant>((Wide{ticks} * tsc_scale.ns_per_tick) >> tsc_fraction_bits);
}
#else
inline Instant tsc_now() { return monotonic_now(); }  // never chosen
#endif

/// The clock of every Instant: CLOCK_MONOTONIC, or from choose_clock() on the counter if that is cheaper. It need not
/// agree with CLOCK_MONOTONIC: the kernel is told how long to wait, never until when. The loop reads it once a turn.
inline Instant now() { return tsc_scale.chosen ? tsc_now() : monotonic_now(); }

/// Measures what a read of either clock costs and has now() read the cheaper one from here on, going on from
/// CLOCK_MONOTONIC and never back. The counter comes into question on x86-64, if it is invariant: it then takes about
/// 20 ms to learn its rate. For programs that measure, before they start a thread; a second call changes nothing.
void choose_clock();

struct ClockReport {
    enum class Source : std::uint8_t { vdso, tsc };
    Source source = Source::vdso;
    double read_ns = 0;        ///< what one now() costs; 0 before choose_clock()
    double other_read_ns = 0;  ///< what it would with the other source; 0 when there is none
    double error_ppm = 0;      ///< error_ns, of the time since choose_clock() or of 20 ms, if that is more
    Duration error_ns = 0;     ///< how far now() has run ahead of CLOCK_MONOTONIC since choose_clock(), at this moment
};
ClockReport clock_report();

/// The instant `timeout` from now, `never` included.
inline Instant deadline_after(Duration timeout) {
    const Instant at = now();
    return timeout < never - at ? at + timeout : never;
}

/// What to add to now() for nanoseconds since 1970. Changes when the wall clock is stepped. Exact to half a microsecond
/// unless the thread is interrupted at every try.
Duration unix_offset();

}  // namespace ringpost
