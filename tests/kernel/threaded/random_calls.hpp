#pragma once

// Shared by the tests that make random calls on several threads.

#include <cstdint>
#include <thread>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/base/split_mix.hpp"

namespace ringpost::test {

inline constexpr std::uint64_t seeds = 3, callers = 4, calls_of_thread = 60;

/// Runs `call(random)` many times on each of several threads.
template <class Call>
void on_threads(std::uint64_t seed, Call call) {
    std::vector<std::jthread> running;
    for (std::uint64_t id = 0; id < callers; ++id)
        running.emplace_back([=] {
            SplitMix64 random(seed * callers + id);
            for (std::uint64_t i = 0; i < calls_of_thread; ++i) call(random);
        });
}

inline Duration short_time(SplitMix64& random) { return static_cast<Duration>(random.below(2 * millisecond)); }

}  // namespace ringpost::test
