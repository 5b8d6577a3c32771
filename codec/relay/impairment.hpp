#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <ringpost/time.hpp>
#include "codec/base/split_mix.hpp"

namespace ringpost::relay {

/// What one direction does to datagrams. Chances are 0 to 1, of each datagram by itself; nothing set, nothing happens.
struct Impairments {
    double loss = 0;
    double burst = 0;                   ///< that a burst begins, in which
    std::uint32_t burst_datagrams = 1;  ///< so many in a row are lost, the one it began with included; 1 or more
    double duplicate = 0;               ///< that a second copy follows; each copy suffers what comes below on its own
    double corrupt = 0;                 ///< that 1 to corrupt_bits_max bits are flipped; an empty datagram has none
    double reorder = 0;                 ///< that it is held back reorder_hold longer than the others
    std::uint64_t rate_bits_per_s = 0;  ///< of a link that carries one at a time, header_bytes each on top; 0: no limit
    Duration delay = 0;                 ///< after the link
    Duration jitter = 0;                ///< up to so much is added to the delay, every amount as likely
    Duration blackhole_on = 0;          ///< 0: never. Else everything passes for blackhole_off, then everything is lost
    Duration blackhole_off = 0;         ///< for blackhole_on, and so on in turn
};

inline constexpr std::size_t corrupt_bits_max = 3;

/// Long enough to be overtaken wherever more than a thousand datagrams a second go the same way.
inline constexpr Duration reorder_hold = millisecond;

/// What a datagram takes of the link besides its payload: IPv4 (RFC 791) and UDP (RFC 768) headers.
inline constexpr std::size_t header_bytes = 20 + 8;

enum class Drop : std::uint8_t { none, lost, burst_lost, blackholed };

/// One copy of a datagram that was not dropped.
struct Copy {
    bool overflow = false;  ///< it found the link's queue full (limits::relay_queue_ns_max): it goes nowhere
    bool reordered = false;
    std::uint8_t flips = 0;                              ///< bits to flip: so many of
    std::array<std::uint32_t, corrupt_bits_max> flip{};  ///< these, distinct, counted from the first byte's lowest
    Instant due = 0;                                     ///< when it leaves
};

struct Decision {
    Drop drop = Drop::none;
    std::uint8_t copies = 0;  ///< so many of `copy`; 0 when dropped
    std::array<Copy, 2> copy{};
};

/// Decides what becomes of each datagram of one direction. The same options, seed and arrivals give the same decisions.
class Impairment {
  public:
    /// The periods of a blackhole count from `start`.
    Impairment(const Impairments& options, std::uint64_t seed, Instant start);

    /// For a datagram with `bytes` of payload that arrives now. `now` never goes back. Without jitter and reorder, no
    /// copy is due before one decided on earlier.
    Decision decide(Instant now, std::size_t bytes);

  private:
    Drop drop(Instant now);
    Copy pass(Instant now, std::size_t bytes);
    std::optional<Instant> cross_link(Instant now, std::size_t bytes);
    void corrupt(Copy& copy, std::size_t bytes);

    Impairments options_;
    SplitMix64 random_;
    Instant start_;
    std::uint32_t burst_left_ = 0;  ///< datagrams that the burst under way still takes
    Instant link_free_at_;
    std::uint64_t link_remainder_ = 0;  ///< of the division that made link_free_at_, so that no time gets lost
};

}  // namespace ringpost::relay
