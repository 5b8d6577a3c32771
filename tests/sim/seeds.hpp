#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <unistd.h>

#include "codec/base/sanitizer.hpp"

/// Of the sanitizers' runtime, where there is one.
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace ringpost::sim {

/// The shell command that runs the current test with one seed.
inline std::string replay_command(std::uint64_t seed) {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    return "RINGPOST_SEED=" + std::to_string(seed) + " " + program_invocation_name +
           " --gtest_filter=" + test.test_suite_name() + "." + test.name();
}

/// Prints the current seed to stderr when a failed check or a sanitizer ends the process, where the test framework can
/// no longer report it.
class LastWords {
  public:
    explicit LastWords(const std::string& command) {
        std::snprintf(words(), words_bytes, "\nreplay: %s\n", command.c_str());
        std::signal(SIGABRT, [](int) { print_seed(); });
        if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(print_seed);
    }
    ~LastWords() { words()[0] = 0; }
    LastWords(const LastWords&) = delete;

  private:
    static constexpr std::size_t words_bytes = 1'000;
    static char* words() {
        static char text[words_bytes];
        return text;
    }
    static void print_seed() {
        if (write(STDERR_FILENO, words(), std::strlen(words())) < 0) return;
    }
};

/// The number in an environment variable, or `otherwise`.
inline std::uint64_t environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Calls play(seed) for the seeds 1 to `count`, until one fails. Failures contain the command that replays them.
/// $RINGPOST_SEED runs one seed, $RINGPOST_SEEDS this many seeds from $RINGPOST_SEED on.
template <class Play>
void for_each_seed(std::uint64_t count, Play play) {
    const std::uint64_t first = environment("RINGPOST_SEED", 1);
    const std::uint64_t seeds = environment("RINGPOST_SEEDS", std::getenv("RINGPOST_SEED") == nullptr ? count : 1);
    for (std::uint64_t seed = first; seed - first < seeds && !testing::Test::HasFailure(); ++seed) {
        const std::string replay = replay_command(seed);
        SCOPED_TRACE("replay: " + replay);
        const LastWords last_words(replay);
        play(seed);
    }
}

/// How many messages a test has delivered, for scripts/swarm.
inline void print_messages(std::uint64_t count) {
    std::printf("messages: %llu\n", static_cast<unsigned long long>(count));
}

}  // namespace ringpost::sim
