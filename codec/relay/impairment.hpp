#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <ringpost/time.hpp>
#include "codec/base/split_mix.hpp"

namespace ringpost::relay {

/// The impairments of one direction. Probabilities are 0 to 1, independent per datagram. The defaults change nothing.
struct Impairments {
    double loss = 0;
    double burst = 0;                   ///< probability that a burst of losses starts
    std::uint32_t burst_datagrams = 1;  ///< datagrams lost per burst, including the first; >= 1
    double duplicate = 0;               ///< probability of a second copy; the options below apply to each copy
    double corrupt = 0;                 ///< probability that 1 to corrupt_bits_max bits are flipped
    double reorder = 0;                 ///< probability of an extra delay of reorder_hold
    std::uint64_t rate_bits_per_s = 0;  ///< of a link that adds header_bytes per datagram; 0: unlimited
    Duration delay = 0;                 ///< added behind the link
    Duration jitter = 0;                ///< maximum of a uniformly distributed extra delay
    Duration blackhole_on = 0;          ///< time for which everything is lost; 0: never
    Duration blackhole_off = 0;         ///< time before that for which everything passes; both repeat in turn
};

inline constexpr std::size_t corrupt_bits_max = 3;

/// Long enough to be overtaken if more than a thousand datagrams a second are sent.
inline constexpr Duration reorder_hold = millisecond;

/// Bytes that a datagram occupies on the link in addition to its payload: IPv4 (RFC 791) and UDP (RFC 768) headers.
inline constexpr std::size_t header_bytes = 20 + 8;

enum class Drop : std::uint8_t { none, lost, burst_lost, blackholed };

/// One copy of a datagram that is not dropped.
struct Copy {
    bool overflow = false;  ///< dropped because the link's queue is full (limits::relay_queue_ns_max)
    bool reordered = false;
    std::uint8_t flips = 0;                              ///< number of bits to flip
    std::array<std::uint32_t, corrupt_bits_max> flip{};  ///< their positions, distinct, counted from the first byte's
                                                         ///< lowest bit
    Instant due = 0;                                     ///< when it is sent
};

struct Decision {
    Drop drop = Drop::none;
    std::uint8_t copies = 0;  ///< valid elements of `copy`; 0 if dropped
    std::array<Copy, 2> copy{};
};

/// Decides the fate of each datagram of one direction. Options, seed and arrivals determine all decisions.
class Impairment {
  public:
    /// `start` is the start of the blackhole periods.
    Impairment(const Impairments& options, std::uint64_t seed, Instant start);

    /// Called for each datagram with `bytes` of payload on arrival. `now` must not decrease. Without jitter and
    /// reordering, due times do not decrease either.
    Decision decide(Instant now, std::size_t bytes);

  private:
    Drop drop(Instant now);
    Copy pass(Instant now, std::size_t bytes);
    std::optional<Instant> cross_link(Instant now, std::size_t bytes);
    void corrupt(Copy& copy, std::size_t bytes);

    Impairments options_;
    SplitMix64 random_;
    Instant start_;
    std::uint32_t burst_left_ = 0;  ///< remaining datagrams of the burst in progress
    Instant link_free_at_;
    std::uint64_t link_remainder_ = 0;  ///< of the division in link_free_at_, so that rounding loses no time
};

}  // namespace ringpost::relay
