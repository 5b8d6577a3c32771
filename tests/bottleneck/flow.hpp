#pragma once

// What the flows of both protocols share: the content of a stream, and reports.

#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include <ringpost/address.hpp>
#include <ringpost/time.hpp>
#include "codec/base/bytes.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::bottleneck {

inline constexpr std::size_t piece_bytes =
    8'192;  ///< of a stream that is sent at once, a message of the native transport
inline constexpr Duration report_interval = 100 * millisecond;

[[noreturn]] inline void fail(const char* what) {
    std::fprintf(stderr, "flow: %s failed\n", what);
    std::exit(1);
}

/// What a sender should send: whichever limit is reached first.
struct Amount {
    std::uint64_t bytes = UINT64_MAX;  ///< a multiple of piece_bytes
    Duration time = never;
};

/// Each eight bytes of a stream are their own position.
inline void write_piece(std::span<std::byte> piece, std::uint64_t position) {
    for (std::size_t at = 0; at < piece.size(); at += 8) store_le(&piece[at], position + at);
}

/// A receiver's progress: verifies the stream and prints a line "time_ns bytes" for each interval, by CLOCK_MONOTONIC.
class Progress {
  public:
    /// `piece` begins and ends at multiples of eight.
    void add(std::span<const std::byte> piece) {
        for (std::size_t at = 0; at < piece.size(); at += 8)
            if (load_le<std::uint64_t>(&piece[at]) != bytes_ + at) fail("content check");
        bytes_ += piece.size();
        report(now());
    }
    Instant report(Instant at) {
        if (at < next_) return next_;
        print(at);
        return next_ = at + report_interval;
    }
    void end() { print(now()); }

  private:
    void print(Instant at) const {
        std::printf("%" PRId64 " %" PRIu64 "\n", at, bytes_);
        std::fflush(stdout);
    }
    std::uint64_t bytes_ = 0;
    Instant next_ = 0;
};

/// A sender's report at one moment: "time_ns window_bytes rtt_us packets_lost".
inline void print_state(Instant at, std::uint64_t window_bytes, double rtt_us, std::uint64_t lost) {
    std::printf("%" PRId64 " %" PRIu64 " %.0f %" PRIu64 "\n", at, window_bytes, rtt_us, lost);
    std::fflush(stdout);
}

/// Each runs one stream; A receiver prints "ready" when it accepts one. A receiver ends when the stream does, a
/// sender when everything has arrived or its time is up. Anything else ends the process.
void receive_native(std::uint16_t port);
void send_native(const Address& to, const Amount& amount);
void receive_tcp(std::uint16_t port);
void send_tcp(const Address& to, const Amount& amount);

inline void ready() {
    std::printf("ready\n");
    std::fflush(stdout);
}

}  // namespace ringpost::bottleneck
