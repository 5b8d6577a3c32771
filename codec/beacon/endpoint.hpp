#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/beacon/types.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/lru_table.hpp"
#include "codec/base/record_queue.hpp"
#include "codec/base/siphash.hpp"
#include "codec/beacon/frame.hpp"

namespace ringpost::beacon {

/// Options of an Endpoint: those of the user, and what its driver sets.
struct Options : ProtocolOptions {
    SocketIndex socket = 0;  ///< on which beacons are sent
    Instant start = 0;
    Duration unix_offset = 0;  ///< Unix time in ns is Instant + unix_offset
    SipKey key;                ///< must be random and secret
    std::uint32_t sources_max = limits::beacon_sources_max;
    std::size_t queue_bytes = limits::beacon_queue_bytes;
};

/// The endpoint of `ringpost beacon`: sends a quote to every target each period and reports received beacons.
class Endpoint {
  public:
    using Event = beacon::Event;

    explicit Endpoint(const Options& options);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    /// Updates the offset; call it periodically, because the wall clock may be stepped.
    void set_unix_offset(Duration unix_offset) { options_.unix_offset = unix_offset; }

    /// Whether every round has been sent.
    bool finished() const { return rounds_left_ == 0 && next_target_ == options_.targets.size(); }
    Counters counters() const;

  private:
    using SourceKey = std::array<std::uint8_t, 16>;
    struct Received {
        Address source;
        std::uint64_t count;
        std::int64_t received_unix_s;
    };

    std::int64_t unix_s(Instant now) const { return (now + options_.unix_offset) / second; }
    void count_error(FrameError error);

    Options options_;
    Instant next_round_at_;
    std::uint64_t rounds_left_;
    std::size_t next_target_;  ///< targets from here on have not been sent this round's beacon
    LruTable<SourceKey, std::uint64_t> sources_;
    RecordQueue<Received> received_;
    bool front_returned_ = false;  ///< the front of received_ has been returned; the next poll_event() removes it
    Counters counts_;
};

}  // namespace ringpost::beacon
