#pragma once

// Capacities of named devices that are shared between strangers. The others are in codec/base/limits.hpp.

#include "codec/base/limits.hpp"

namespace ringpost::limits {

/// Attempts in progress to connect to devices that were never connected.
inline constexpr std::uint32_t devices_attempts_max = 256;

/// Bytes received on all connections together that the application has not consumed: from here on each peer that sends
/// more is paused.
inline constexpr std::size_t devices_unread_bytes_total = 16u << 20;

/// Bytes on all connections together of frames whose end has not arrived. Beyond it the connection that has waited
/// longest for the end of its frame is ended.
inline constexpr std::size_t devices_partial_bytes_total = 16u << 20;

/// Bytes of text that a Node queues for receive(), and of questions that it queues for next_question().
inline constexpr std::size_t devices_notices_bytes = 4u << 20;
inline constexpr std::size_t devices_questions_bytes = 4u << 20;

static_assert(devices_unread_bytes_pause <= devices_unread_bytes_total);
static_assert(devices_frame_bytes_max <= devices_partial_bytes_total);
static_assert(devices_frame_bytes_max <= devices_notices_bytes && devices_frame_bytes_max <= devices_questions_bytes);

}  // namespace ringpost::limits
