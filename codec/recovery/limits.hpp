#pragma once

// Constants and capacities of loss recovery and congestion control, with their sources.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <ringpost/time.hpp>

namespace ringpost::recovery::limits {

/// Packets that one connection keeps a record of. A sender with this many between its oldest outstanding packet and the
/// next number waits.
inline constexpr std::uint32_t sent_packets_max = 65'536;

/// Things a sender wants to know the fate of, per packet: slices of messages, limits, control frames.
inline constexpr std::uint32_t references_per_packet_max = 64;

/// Packets called lost that a late acknowledgement can still find.
inline constexpr std::uint32_t lost_packets_kept = 1'024;

/// RFC 9002, 6.1.1: kPacketThreshold. Reordering that is seen raises it up to the second number.
inline constexpr std::uint32_t packet_threshold = 3;
inline constexpr std::uint32_t packet_threshold_max = 1'024;

/// RFC 9002, 6.1.2: kGranularity; the second one applies to round trips below a millisecond.
inline constexpr Duration granularity = millisecond;
inline constexpr Duration granularity_of_short_paths = 50 * microsecond;

/// RFC 9002, 6.2.2: kInitialRtt.
inline constexpr Duration rtt_initial = 333 * millisecond;

/// Probe timeouts are not doubled further than this: a path that comes back is noticed within it, and one that loses
/// half of its packets gets enough of them before the idle timeout.
inline constexpr Duration probe_timeout_max = second;

/// RFC 9002, 6.2.4: packets sent per probe timeout.
inline constexpr std::uint32_t probes = 2;

/// RFC 9002, 7.6.1: kPersistentCongestionThreshold.
inline constexpr int persistent_timeouts = 3;

/// RFC 9002, 7.2: packets in the initial and in the smallest window.
inline constexpr std::uint32_t window_packets_initial = 10;
inline constexpr std::uint32_t window_packets_min = 2;

/// Packets that may leave back to back: at first, on paths that have taken them, and at least.
inline constexpr std::uint32_t burst_packets_initial = 10;
inline constexpr std::uint32_t burst_packets_max = 45;
inline constexpr std::uint32_t burst_packets_min = 2;

/// A paced sender sleeps until a quantum may leave, of at most this much time at its rate.
inline constexpr Duration quantum = millisecond;

/// RFC 9438, 4.6 and 5.1.
inline constexpr double cubic_decrease = 0.7;
inline constexpr double cubic_scale = 0.4;

/// RFC 9406, 4.3.
inline constexpr Duration hystart_rtt_threshold_min = 4 * millisecond;
inline constexpr Duration hystart_rtt_threshold_max = 16 * millisecond;
inline constexpr int hystart_rtt_divisor = 8;
inline constexpr std::uint32_t hystart_samples = 8;
inline constexpr std::uint64_t hystart_growth_divisor = 4;
inline constexpr int hystart_conservative_rounds = 5;

/// `fixed`: this share of losses during this many consecutive intervals halves rate and window; as many intervals
/// below it double them, up to what was asked for.
inline constexpr double breaker_loss_ratio = 0.1;
inline constexpr Duration breaker_interval = second;
inline constexpr int breaker_intervals = 3;
inline constexpr int breaker_shift_max = 10;

static_assert(std::has_single_bit(sent_packets_max) && std::has_single_bit(lost_packets_kept));
static_assert(packet_threshold_max < sent_packets_max && lost_packets_kept < sent_packets_max);
static_assert(burst_packets_min <= burst_packets_initial && burst_packets_initial <= burst_packets_max);

}  // namespace ringpost::recovery::limits
