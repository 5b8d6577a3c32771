// Plays a list of events from stdin to recovery::Cubic and prints the window, in packets, after each. One event a line:
//
//     a NOW SENT NUMBER RTT APP PACKETS    an acknowledgement of packets, the newest sent at SENT; APP: 1 if limited
//     l NOW SENT                           one packet that was sent at SENT is lost
//
// Times are in nanoseconds. Used by cubic_trace.py.

#include <cstdint>
#include <cstdio>

#include "codec/recovery/cubic.hpp"

using namespace ringpost;
using namespace ringpost::recovery;

namespace {

constexpr std::uint32_t packet_bytes = 1'000;

}  // namespace

int main() {
    Cubic cubic(packet_bytes);
    Rtt rtt;
    char line[200];
    while (std::fgets(line, sizeof line, stdin) != nullptr) {
        long long now = 0, sent = 0, round_trip = 0;
        unsigned long long number = 0, packets = 0;
        int limited = 0;
        if (std::sscanf(line, "a %lld %lld %llu %lld %d %llu", &now, &sent, &number, &round_trip, &limited, &packets) ==
            6) {
            rtt.sample(round_trip, 0);
            // The driver sends a packet for each that is acknowledged, a window ahead.
            cubic.on_sent(now, number + cubic.window() / packet_bytes);
            cubic.on_ack(now, {packets * packet_bytes, cubic.window(), sent, number, true, limited != 0}, rtt);
        } else if (std::sscanf(line, "l %lld %lld", &now, &sent) == 2) {
            cubic.on_lost(now, {packet_bytes, 1, sent, false});
        } else {
            std::fprintf(stderr, "not an event: %s", line);
            return 1;
        }
        std::printf("%.6f\n", cubic.window_packets());
    }
    return 0;
}
