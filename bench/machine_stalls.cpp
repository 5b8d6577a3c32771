// machine_stalls NS SHARE SECONDS: how far an open loop falls behind its schedule on this machine, whatever it sends. A
// turn of NS nanoseconds of spinning is due every NS / SHARE nanoseconds; a second process spins on the other core, as
// a receiver would. Reports how late turns start: the machine causes the stalls, and SHARE decides how long the loop
// takes to catch up. Prints one JSON object.

#include <cstdio>
#include <cstdlib>

#include "bench/peer.hpp"
#include "codec/measure/histogram.hpp"
#include "engine/os/clock.hpp"

namespace {

using namespace ringpost;

void spin_until(Instant until) {
    while (now() < until) continue;
}

Histogram run(Duration turn_ns, double share, Duration length) {
    Histogram slip;
    const Instant start = now();
    const double period_ns = static_cast<double>(turn_ns) / share;
    for (std::uint64_t turn = 0;; ++turn) {
        const Instant due = start + static_cast<Duration>(static_cast<double>(turn) * period_ns);
        if (due >= start + length) return slip;
        spin_until(due);
        const Instant at = now();
        slip.record(at - due);
        spin_until(at + turn_ns);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) bench::usage("machine_stalls NS SHARE SECONDS");
    const Duration turn_ns = std::atoll(argv[1]);
    const double share = std::atof(argv[2]);
    const auto length = static_cast<Duration>(std::atof(argv[3]) * 1e9);
    if (turn_ns <= 0 || share <= 0 || share > 1 || length <= 0)
        bench::usage("machine_stalls NS SHARE SECONDS, NS > 0, 0 < SHARE <= 1, SECONDS > 0");
    choose_clock();
    const auto spin = [](bench::Shared& shared) {
        shared.ready = true;
        while (!shared.stop) continue;
    };
    bench::run_pair(bench::Cores::pinned, spin, [&](bench::Shared&) {
        const Histogram slip = run(turn_ns, share, length);
        const auto us = [](Duration ns) { return static_cast<double>(ns) / 1e3; };
        std::printf("{\"turns\":%" PRIu64 ",\"slip_us\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}}\n", slip.count(),
                    us(slip.percentile(50)), us(slip.percentile(99)), us(slip.max()));
    });
}
