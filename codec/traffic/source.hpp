#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/measure/histogram.hpp"
#include "codec/traffic/frame.hpp"
#include "codec/traffic/schedule.hpp"
#include "codec/traffic/sizes.hpp"

namespace ringpost::traffic {

struct SourceOptions {
    Sizes sizes = Sizes::fixed(64);  ///< with verify, none below frame_bytes_min
    std::uint64_t sizes_seed = 0;    ///< the same seed draws the same sizes; it means nothing to fixed ones
    std::uint32_t flows = 1;         ///< sockets, each connected to the target
    SocketIndex first_socket = 0;    ///< of the flows; theirs follow each other
    std::uint32_t stream = 0;        ///< of flow 0, drawn at random; flow i is stream + i
    double rate_per_s = 0;           ///< of all flows together; 0 sends as fast as the engine takes
    Arrivals arrivals = Arrivals::fixed;
    std::uint64_t arrivals_seed = 0;
    std::uint32_t burst = 1;               ///< of a fixed rate: so many are due at once
    const RateProfile* profile = nullptr;  ///< instead of the rate, which is then only > 0; must stay
    /// Of the schedule's datagrams, this one's are number share_index and every share_of-th after it.
    std::size_t share_index = 0, share_of = 1;
    std::size_t train_segments = 1;  ///< most datagrams in one Transmit; mixed sizes leave one by one
    bool verify = true;              ///< frames that a Sink can check; off, the bytes mean nothing
    Duration due_offset = 0;         ///< added to each due time written: see frame.hpp
    Instant start = 0;
    Instant stop = never;  ///< nothing due at or after it is sent
    std::uint64_t count = UINT64_MAX;
};

/// The endpoint of `ringpost load`: sends an open loop of datagrams, receives nothing.
class Source {
  public:
    struct Event {};  ///< it has none: ask sent() and slip()

    explicit Source(const SourceOptions& options);

    void handle(Instant, const Datagram&) { ++unexpected_; }
    void handle_timeout(Instant now) { stopped_ = now >= options_.stop; }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const;

    /// Nothing due at or after `at` is sent, where SourceOptions::stop is later.
    void stop(Instant at) { options_.stop = std::min(options_.stop, at); }
    bool finished(Instant now) const { return sent_ == options_.count || now >= options_.stop; }
    std::uint64_t sent() const { return sent_; }
    std::uint64_t bytes_sent() const { return bytes_sent_; }
    /// Of a fixed rate: when the first that was not sent is due.
    Instant next_due() const { return schedule_.next(); }
    std::uint64_t unexpected() const { return unexpected_; }  ///< datagrams that came back
    /// How late each datagram of a fixed rate left its schedule.
    const Histogram& slip() const { return slip_; }

  private:
    void prepare(std::span<std::byte> out);
    void write(std::span<std::byte> out, std::size_t size, const Frame& first, std::size_t count) const;
    std::size_t write_due(std::span<std::byte> out, std::size_t size, Frame frame, std::size_t at_most);

    SourceOptions options_;
    FrameWriter writer_;  ///< of the largest size
    SplitMix64 size_random_;
    Schedule schedule_;
    bool stopped_ = false;  ///< a timeout has come at or after options_.stop: no more are needed
    std::uint64_t sent_ = 0, bytes_sent_ = 0, unexpected_ = 0;
    std::uint32_t next_flow_ = 0;
    std::vector<std::uint64_t> sequences_;            ///< next sequence of each flow
    std::vector<const std::byte*> prepared_buffers_;  ///< where the fill has been laid already
    Histogram slip_;
};

}  // namespace ringpost::traffic
