#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "codec/base/datagram.hpp"
#include "codec/base/histogram.hpp"
#include "codec/base/instant.hpp"
#include "codec/load/frame.hpp"
#include "codec/load/match.hpp"
#include "codec/load/sequence_window.hpp"
#include "codec/load/source.hpp"

namespace ringpost::load {

struct ProberOptions {
    std::size_t datagram_bytes = 64;  ///< at least frame_bytes_min
    std::uint32_t stream = 0;         ///< drawn at random: replies to anybody else's probes are told apart
    double rate_per_s = 0;  ///< open loop; 0 is ping-pong: the next leaves when the last is answered or given up
    Duration give_up_after = second;  ///< ping-pong and foreign probes only: an unanswered probe is then lost
    Instant start = 0;
    Instant stop = never;  ///< no probe due at or after it is sent
    std::uint64_t count = UINT64_MAX;
    /// Foreign probes: what they carry, and how their replies are told. Must stay. Null: our own frames.
    const Dialect* dialect = nullptr;
    SipKey key{};  ///< of the table of foreign probes: drawn at random
};

struct ProberCounts {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;  ///< everything that came back; the rest are parts of it
    std::uint64_t duplicate = 0;
    std::uint64_t reordered = 0;  ///< replies overtaken by a later one
    std::uint64_t corrupt = 0;    ///< came back changed
    std::uint64_t foreign = 0;    ///< frames of another run or sender, or such as we have not sent; replies to no probe
    std::uint64_t late = 0;       ///< replies to foreign probes that had been given up; measured all the same
    std::uint64_t surplus = 0;    ///< foreign probes, by order: replies that no probe waited for
    /// sent == (received - duplicate - corrupt - foreign - surplus) + lost, once the last reply has had its time.
    std::uint64_t lost() const { return sent - (received - duplicate - corrupt - foreign - surplus); }
};

/// The endpoint of `ringpost latency`: round trips on socket 0, against anything that returns a datagram unchanged, or
/// by foreign probes against any server. Each round trip runs from when the probe was due, so that a stall counts
/// against every probe it delayed.
class Prober {
  public:
    struct Event {};  ///< it has none: ask counts(), rtt() and slip()

    explicit Prober(const ProberOptions& options);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const;

    /// Nothing more will be sent, and either everything was answered or `linger` has passed since the last was sent.
    bool finished(Instant now, Duration linger) const;

    /// ProberOptions::start while nothing has been sent.
    Instant last_sent_at() const { return last_sent_at_; }
    const ProberCounts& counts() const { return counts_; }
    const Histogram& rtt() const { return rtt_; }
    const Histogram& slip() const { return slip_; }
    /// Of foreign probes; null for our own frames.
    const MatchCounts* match_counts() const { return matcher_ ? &matcher_->counts() : nullptr; }

  private:
    bool open_loop() const { return options_.rate_per_s > 0; }
    bool may_send(Instant now) const;
    /// Writes the next probe and returns its size.
    std::size_t write_probe(std::span<std::byte> out, Instant due, Instant now);
    /// The probe that is answered; nothing, counted, when none is.
    std::optional<Frame> recognise_frame(std::span<const std::byte> bytes);
    std::optional<Frame> recognise_reply(Instant now, std::span<const std::byte> bytes);

    ProberOptions options_;
    FrameWriter writer_;
    std::optional<Matcher> matcher_;  ///< of foreign probes
    Schedule schedule_;
    bool waiting_ = false;  ///< ping-pong: a probe is in flight
    bool stopped_ = false;  ///< a timeout has come at or after options_.stop: no more are needed
    Instant last_sent_at_;
    ProberCounts counts_;
    SequenceWindow window_;
    Histogram rtt_, slip_;
};

}  // namespace ringpost::load
