#pragma once

#include <cstdint>
#include <optional>

#include <ringpost/time.hpp>
#include "codec/base/check.hpp"
#include "codec/base/zeroed_array.hpp"
#include "codec/recovery/limits.hpp"

namespace ringpost::recovery {

/// What a sent packet is and became.
enum SentFlag : std::uint8_t {
    sent_eliciting = 1,    ///< the peer acknowledges it; counts as in flight until it has, or until it is lost
    sent_skipped = 2,      ///< this number was never sent: an acknowledgement of it is a lie
    sent_acked = 4,        ///< acknowledged
    sent_lost = 8,         ///< called lost; an acknowledgement may still come
    sent_app_limited = 16  ///< sent while there was nothing more to send
};

/// The record of one packet.
struct SentPacket {
    Instant at = 0;
    std::uint64_t delivered = 0;     ///< bytes acknowledged in total when it was sent, for estimates of the rate
    std::uint32_t step = 0;          ///< distance to the next outstanding packet; 0: none
    std::uint32_t reference = 0;     ///< position of the first of its references; the owner's
    std::uint32_t acknowledges = 0;  ///< largest number that its ACK frame reported, low half
    std::uint16_t bytes = 0;
    std::uint8_t references = 0;
    std::uint8_t flags = 0;
};
static_assert(sizeof(SentPacket) == 32);

/// The packets of one direction, by number. Those outstanding are linked in order of their numbers: acknowledging k
/// packets visits those k, and the few older ones that are neither acknowledged nor lost yet.
///
/// A record is kept until its place is used again, `capacity` packets later.
class SentRing {
  public:
    /// `capacity`: a power of two. `first`: the number of the first packet.
    explicit SentRing(std::uint32_t capacity, std::uint64_t first = 0)
        : packets_(capacity), mask_(capacity - 1), next_(first) {
        RINGPOST_CHECK(std::has_single_bit(capacity));
    }

    /// The number that the next packet gets.
    std::uint64_t next() const { return next_; }
    bool outstanding() const { return outstanding_; }
    /// The oldest and newest outstanding packet; only if there is one.
    std::uint64_t oldest() const { return oldest_; }
    std::uint64_t newest() const { return newest_; }
    /// Whether there is no record for another packet.
    bool full() const { return outstanding_ && next_ - oldest_ > mask_; }
    /// Whether `number` was sent, or skipped, and its record is kept.
    bool keeps(std::uint64_t number) const { return number < next_ && next_ - number <= mask_ + std::uint64_t{1}; }

    SentPacket& operator[](std::uint64_t number) { return packets_[number & mask_]; }
    const SentPacket& operator[](std::uint64_t number) const { return packets_[number & mask_]; }

    /// Records the next packet. It is outstanding if it elicits an acknowledgement or was skipped. Must not be full.
    SentPacket& push(const SentPacket& packet) {
        SentPacket& kept = packets_[next_ & mask_];
        kept = packet;
        kept.step = 0;
        if ((packet.flags & (sent_eliciting | sent_skipped)) != 0) {
            if (outstanding_)
                packets_[newest_ & mask_].step = static_cast<std::uint32_t>(next_ - newest_);
            else
                oldest_ = next_;
            newest_ = next_;
            outstanding_ = true;
        }
        ++next_;
        return kept;
    }

    /// Walks the outstanding packets from the oldest on. At each, either keep() or drop() must be called once.
    class Walk {
      public:
        explicit Walk(SentRing& ring) : ring_(ring), at_(ring.oldest_), more_(ring.outstanding_) {}
        bool more() const { return more_; }
        std::uint64_t number() const { return at_; }
        SentPacket& packet() { return ring_[at_]; }
        /// It stays outstanding.
        void keep() {
            before_ = at_;
            has_before_ = true;
            advance();
        }
        /// It is not outstanding any more.
        void drop() {
            const std::uint32_t step = packet().step;
            if (has_before_) {
                SentPacket& before = ring_[before_];
                before.step = step == 0 ? 0 : before.step + step;
                if (step == 0) ring_.newest_ = before_;
            } else if (step == 0) {
                ring_.outstanding_ = false;
            } else {
                ring_.oldest_ = at_ + step;
            }
            advance();
        }

      private:
        void advance() {
            const std::uint32_t step = packet().step;
            more_ = step != 0;
            at_ += step;
        }

        SentRing& ring_;
        std::uint64_t at_, before_ = 0;
        bool more_, has_before_ = false;
    };
    Walk walk() { return Walk(*this); }

  private:
    ZeroedArray<SentPacket> packets_;
    std::uint64_t mask_;
    std::uint64_t next_, oldest_ = 0, newest_ = 0;
    bool outstanding_ = false;
};

}  // namespace ringpost::recovery
