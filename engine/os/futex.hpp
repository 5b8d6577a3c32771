#pragma once

#include <atomic>
#include <cstdint>
#include <ringpost/time.hpp>

namespace ringpost {

/// Sleeps while `word` equals `seen`, at most until `deadline`. May return spuriously. std::atomic::wait with a
/// deadline; see futex(2).
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t seen, Instant deadline);
/// Wakes up to `count` threads that sleep on `word`.
void futex_wake(const std::atomic<std::uint32_t>& word, std::uint32_t count);

inline constexpr std::uint32_t all_waiters = 0x7fff'ffff;

}  // namespace ringpost
