#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace ringpost::sim {

/// The shell command that plays the running test with one seed.
inline std::string replay_command(std::uint64_t seed) {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    return "RINGPOST_SEED=" + std::to_string(seed) + " " + program_invocation_name +
           " --gtest_filter=" + test.test_suite_name() + "." + test.name();
}

/// Calls play(seed) for the seeds 1 to `count`, or only for $RINGPOST_SEED, until one fails; its failures carry the
/// command that replays it.
template <class Play>
void for_each_seed(std::uint64_t count, Play play) {
    const char* only = std::getenv("RINGPOST_SEED");
    const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
    const std::uint64_t last = only != nullptr ? first : count;
    for (std::uint64_t seed = first; seed <= last && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("replay: " + replay_command(seed));
        play(seed);
    }
}

}  // namespace ringpost::sim
