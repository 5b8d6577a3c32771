#pragma once

// State shared by the Sender and the Receiver of an endpoint.

#include <algorithm>
#include <cstdint>

#include <ringpost/datagram.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/split_mix.hpp"
#include "codec/gtudp/options.hpp"
#include "codec/gtudp/peer_table.hpp"

namespace ringpost::gtudp {

constexpr unsigned backoffs_max = 15;  ///< the longest interval is reached earlier

/// What the RECVs of a train confirm of the DATA in flight.
struct Confirmed {
    std::uint64_t packets = 0, bytes = 0;
    Instant sent_at = -1;  ///< when the newest of those that were sent once was sent; -1: there is none
};

/// A datagram or train that is being handled, and what has been found out about its source so far.
struct Arrival {
    const Datagram& in;       ///< `bytes` are those of the whole train
    PeerIndex peer = none;    ///< of the source, once found; no other source is handled meanwhile
    bool path_noted = false;  ///< Peer::note_path() has been called
    bool rtt_sampled = false;
    bool joins = false;  ///< what is next can join the newest record of the inbox
    Confirmed confirmed{};
};

struct Context {
    explicit Context(const Options& given)
        : options(given),
          unproven_sends_max(std::max(
              given.unproven_sends_max.value_or(std::min(given.sends_max, given.peers_max) / unproven_share), 1u)),
          unproven_payload_max(given.payload_bytes / unproven_share),
          peers(given.peers_max, given.key, given.socket),
          random_(given.seed) {}

    /// Time until a datagram just sent to `peer` is retransmitted: the first interval doubled `backoffs` times (RFC
    /// 6298, section 5.5), plus up to an eighth of random jitter so that timers do not synchronise.
    Duration interval(const Peer& peer, unsigned backoffs, int multiple) {
        const ResendOptions& resending = options.resending;
        const Duration first = first_interval(peer, multiple);
        if (resending.fixed_interval) return first;
        const Duration longest = std::max(resending.timeout_max * multiple, first);
        const Duration backed_off = first > longest >> backoffs ? longest : first << backoffs;
        return backed_off + static_cast<Duration>(random() % static_cast<std::uint64_t>(backed_off / 8 + 1));
    }
    /// The retransmission timeout (RFC 6298, section 2) times `multiple`, without jitter.
    Duration first_interval(const Peer& peer, int multiple) const {
        const ResendOptions& resending = options.resending;
        if (resending.fixed_interval) return *resending.fixed_interval;
        if (!peer.rtt.known()) return resending.timeout_initial;
        return std::clamp(peer.rtt.smoothed() + 4 * peer.rtt.variation(), resending.timeout_min,
                          resending.timeout_max) *
               multiple;
    }

    std::uint64_t random() { return random_.next(); }

    /// The peer that the train comes from; `none` if it is not in the table.
    PeerIndex find_peer(Arrival& arrival) const {
        if (arrival.peer == none) arrival.peer = peers.find(arrival.in.source);
        return arrival.peer;
    }
    /// The peer must be known. The datagrams of a train arrive alike, so the first is enough.
    void note_path(Arrival& arrival) {
        if (!arrival.path_noted) peers[arrival.peer].note_path(arrival.in);
        arrival.path_noted = true;
    }
    /// A datagram that was sent `sends` times by its timer, last at `sent_at`, is answered. A train was sent, and
    /// answered, as one, so it makes one sample of the round-trip time.
    ///
    /// Karn's algorithm (RFC 6298, section 3): what was sent several times makes no sample. Answers are repeated too:
    /// one that comes after the timeout, when one to something sent as late has come before, makes none either.
    void sample_rtt(Arrival& arrival, unsigned sends, Stamp sent_at, Instant now) {
        if (arrival.rtt_sampled || sends > 1) return;
        Peer& peer = peers[arrival.peer];
        const Duration sample = since(sent_at, now);
        const bool newest = !peer.rtt.known() || sample < since(peer.answered_sent_at, now);
        if (newest) peer.answered_sent_at = sent_at;
        if (!newest && sample > first_interval(peer, 1)) return;
        peer.rtt.sample(sample, 0);
        peer.backoffs = 0;
        peer.timeout_set_at = stamp_of(now);
        arrival.rtt_sampled = true;
    }

    /// A datagram that was sent `sends` times, last at `sent_at`, was not answered within its interval. If it was sent
    /// once, and nothing that was has been answered since, the path may have become slower than the timeout. Then the
    /// first intervals are doubled, so that something is answered before it is sent again, and makes a sample (RFC
    /// 6298, sections 5.5 to 5.7).
    void note_expired(PeerIndex index, unsigned sends, Stamp sent_at, Instant now) {
        Peer& peer = peers[index];
        if (sends > 1 || !peer.rtt.known() || since(sent_at, now) > since(peer.timeout_set_at, now)) return;
        peer.backoffs = static_cast<std::uint8_t>(std::min(peer.backoffs + 1u, backoffs_max));
        peer.timeout_set_at = stamp_of(now);
    }

    static constexpr std::uint32_t unproven_share = 8;

    const Options options;
    /// What replies to unproven peers share, see Options::unproven_sends_max.
    const std::uint32_t unproven_sends_max;
    const std::size_t unproven_payload_max;
    Counters counts;
    PeerTable peers;

  private:
    SplitMix64 random_;
};

/// Back-off count for a retransmission: one more if the peer has acknowledged nothing since the previous send. If it
/// has acknowledged other exchanges, this datagram was lost on a working path, and a longer wait would not help.
inline unsigned backoffs_of_resend(unsigned backoffs, Instant answered_at, Stamp sent_at, Instant now) {
    const bool answered_since = answered_at > now - since(sent_at, now);
    return answered_since ? backoffs : std::min(backoffs + 1, backoffs_max);
}

/// Writes a train of equal frames for one peer into `out`.
class TrainWriter {
  public:
    TrainWriter(std::span<std::byte> out, const Address& destination, const LocalPath& path, std::uint8_t hop_limit = 0)
        : out_(out), destination_(destination), path_(path), hop_limit_(hop_limit) {}
    TrainWriter(std::span<std::byte> out, const Peer& peer)
        : TrainWriter(out, peer.address, peer.path, peer.hop_limit) {}

    /// Reserves space for the next frame and returns it; null if the frame does not fit or is longer than the first. A
    /// shorter frame ends the train.
    std::byte* add(std::size_t bytes) {
        if (count_ == 0) segment_bytes_ = bytes;
        if (closed_ || bytes > segment_bytes_ || count_ == limits::train_segments_max || bytes_ + bytes > out_.size())
            return nullptr;
        std::byte* at = out_.data() + bytes_;
        bytes_ += bytes;
        ++count_;
        closed_ = bytes < segment_bytes_;
        return at;
    }

    Transmit transmit() const {
        return {.destination = destination_,
                .socket = path_.socket,
                .bytes = bytes_,
                .segment_bytes = segment_bytes_,
                .local = path_.local,
                .hop_limit = hop_limit_};
    }
    bool empty() const { return count_ == 0; }

  private:
    std::span<std::byte> out_;
    Address destination_;
    LocalPath path_;
    std::uint8_t hop_limit_;
    std::size_t bytes_ = 0, segment_bytes_ = 0, count_ = 0;
    bool closed_ = false;
};

}  // namespace ringpost::gtudp
