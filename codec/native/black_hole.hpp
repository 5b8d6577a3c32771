#pragma once

#include <cstdint>

#include <ringpost/time.hpp>
#include "codec/native/limits.hpp"

namespace ringpost::native {

/// Finds out that the path drops large datagrams without a word, where the errors of ICMP are filtered: several large
/// packets are lost and none arrives, while small ones that were sent later do. Random loss, and a path that is cut,
/// do not look so: when anything gets through, large packets do, too.
class BlackHole {
  public:
    /// Whether a packet of this size may be the path's fault.
    static bool is_large(std::size_t bytes) { return bytes > limits::native_datagram_bytes_min; }

    void on_lost(std::size_t bytes, Instant sent_at) {
        if (!is_large(bytes)) return;
        if (lost_++ == 0) lost_since_ = sent_at;
    }
    void on_acked(std::size_t bytes, Instant sent_at) {
        if (is_large(bytes))
            lost_ = small_acked_ = timeouts_ = 0;
        else if (lost_ > 0 && sent_at > lost_since_)
            ++small_acked_;
    }
    void on_probe_timeout() { ++timeouts_; }

    /// A small packet should be among the next probes, to learn whether it arrives.
    bool is_suspected() const {
        return timeouts_ >= limits::native_black_hole_timeouts || lost_ >= limits::native_black_hole_lost;
    }
    bool is_found() const {
        return lost_ >= limits::native_black_hole_lost && small_acked_ >= limits::native_black_hole_small;
    }

  private:
    // Since a large packet was acknowledged.
    std::uint32_t lost_ = 0, small_acked_ = 0, timeouts_ = 0;
    Instant lost_since_ = 0;  ///< when the first of those lost was sent
};

}  // namespace ringpost::native
