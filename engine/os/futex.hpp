#pragma once

#include <atomic>
#include <cstdint>
#include <ringpost/time.hpp>

namespace ringpost {

/// Sleeps while `word` is `seen`, until `deadline` at most; may return early. What std::atomic::wait does, with a
/// deadline. See futex(2).
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t seen, Instant deadline);
/// Wakes up to `count` threads that sleep on `word`.
void futex_wake(const std::atomic<std::uint32_t>& word, std::uint32_t count);

inline constexpr std::uint32_t everybody = 0x7fff'ffff;

}  // namespace ringpost
