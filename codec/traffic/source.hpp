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
#include "codec/traffic/payload_train.hpp"
#include "codec/traffic/schedule.hpp"
#include "codec/traffic/sizes.hpp"

namespace ringpost::traffic {

class Sink;

struct SourceOptions {
    Sizes sizes = Sizes::fixed(64);  ///< with `verify`, at least frame_bytes_min
    std::uint64_t sizes_seed = 0;    ///< of random sizes
    std::uint32_t flows = 1;         ///< sockets, each connected to the target
    SocketIndex first_socket = 0;    ///< of the flows, which are consecutive
    std::uint32_t stream = 0;        ///< of flow 0, random; flow i uses stream + i
    double rate_per_s = 0;           ///< of all flows together; 0: as fast as the engine accepts
    Arrivals arrivals = Arrivals::fixed;
    std::uint64_t arrivals_seed = 0;
    std::uint32_t burst = 1;               ///< fixed rate: datagrams due at once
    const RateProfile* profile = nullptr;  ///< replaces the rate, which must then be > 0; must outlive the source
    const Recording* recording = nullptr;  ///< the same, see ScheduleOptions
    /// Takes number share_index and every share_of-th after it from the schedule.
    std::size_t share_index = 0, share_of = 1;
    std::size_t train_segments = 1;  ///< most datagrams in one Transmit; 1 with mixed sizes
    bool verify = true;              ///< write frames that a Sink can verify; otherwise the contents are arbitrary
    Duration due_offset = 0;         ///< added to each due time written; see frame.hpp
    /// The contents instead of frames and sizes; must outlive the source. Requires !verify.
    const Payload* payload = nullptr;
    std::uint64_t payload_first = 0;  ///< the number of the first one sent
    Duration unix_offset = 0;         ///< of the times in payloads, see PayloadValues
    std::uint64_t payload_seed = 0;
    Instant start = 0;
    Instant stop = never;  ///< datagrams due at or after this time are not sent; see overtime()
    std::uint64_t count = UINT64_MAX;
    Sink* replies = nullptr;  ///< verifies received datagrams (see AnsweringSink); null: they are unexpected
};

/// The endpoint of `ringpost load`: sends an open loop of datagrams, and passes those it receives to a sink if it has
/// one.
class Source {
  public:
    struct Event {};  ///< none; see sent() and slip()

    explicit Source(const SourceOptions& options);

    void handle(Instant now, const Datagram& in);
    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes);
    void handle_timeout(Instant now) { stopped_ = now >= closing(); }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const;

    /// Sends nothing due at or after `at`; an earlier stop time is kept.
    void stop(Instant at) { options_.stop = std::min(options_.stop, at); }
    bool finished(Instant now) const { return !sends(now); }
    std::uint64_t sent() const { return sent_; }
    /// The part of sent() of each flow.
    std::span<const std::uint64_t> sent_by_flow() const { return sequences_; }
    std::uint64_t bytes_sent() const { return bytes_sent_; }
    /// Fixed rate: datagrams due before the stop time that were not sent, because the sender was held up beyond the
    /// end. Final once finished.
    std::uint64_t unsent() const;
    std::uint64_t unexpected() const { return unexpected_; }  ///< datagrams received without a sink
    /// Delay between due time and sending, for each datagram of a fixed rate.
    const Histogram& slip() const { return slip_; }

  private:
    bool scheduled() const { return options_.rate_per_s > 0; }
    bool sends(Instant now) const;
    /// When nothing is sent any more.
    Instant closing() const;
    /// Datagrams of one train, at least one and at most `at_most`.
    PayloadTrain::Written write_payloads(Instant now, std::span<std::byte> out, std::uint32_t flow,
                                         std::size_t at_most);
    PayloadTrain::Written write_frames(Instant now, std::span<std::byte> out, std::uint32_t flow, std::size_t at_most);
    void prepare(std::span<std::byte> out);
    void write(std::span<std::byte> out, std::size_t size, const Frame& first, std::size_t count) const;
    /// Takes up to `at_most` due times, at least one, from the schedule.
    std::span<const Instant> take_due(Instant now, std::size_t at_most);
    void write_due(std::span<std::byte> out, std::size_t size, const Frame& first, std::span<const Instant> dues) const;

    SourceOptions options_;
    FrameWriter writer_;  ///< for the largest size
    std::optional<PayloadTrain> payloads_;
    SplitMix64 size_random_;
    Schedule schedule_;
    bool stopped_ = false;  ///< handle_timeout() has been called at or after closing()
    std::uint64_t sent_ = 0, bytes_sent_ = 0, unexpected_ = 0;
    std::uint32_t next_flow_ = 0;
    std::vector<std::uint64_t> sequences_;            ///< next sequence of each flow
    std::vector<const std::byte*> prepared_buffers_;  ///< buffers that hold the fill
    std::vector<Instant> dues_;                       ///< of the datagrams of one train
    Histogram slip_;
};

}  // namespace ringpost::traffic
