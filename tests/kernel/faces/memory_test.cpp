// memory_bytes() of the faces against what open() maps.

#include <malloc.h>

#include <cstdio>
#include <cstdlib>

#include <ringpost/beacon.hpp>
#include <ringpost/confirmed.hpp>
#include <ringpost/engine.hpp>
#include <ringpost/structs.hpp>
#include "codec/base/sanitizer.hpp"
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::test {
namespace {

/// Virtual memory of this process.
std::size_t mapped_bytes() {
    unsigned long pages = 0;
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    EXPECT_EQ(std::fscanf(file, "%lu", &pages), 1);
    std::fclose(file);
    return pages * static_cast<std::size_t>(getpagesize());
}

/// Opens twice, so that what the process keeps after the first is not counted. Whether the second mapped no more than
/// memory_bytes() returns, and at least 80 % of it.
template <class Open>
bool within_budget(const char* what, Open open) {
    open();
    malloc_trim(0);
    const std::size_t before = mapped_bytes();
    const auto opened = open();
    const std::size_t mapped = mapped_bytes() - before;
    if (!opened) return false;
    const std::size_t budget = opened->memory_bytes();
    std::fprintf(stderr, "%s: mapped %zu of %zu\n", what, mapped, budget);
    return mapped <= budget && mapped >= budget / 10 * 8;
}

/// In a process of its own, whose heap has no free memory yet.
[[noreturn]] void measure_all(const EngineOptions& engine) {
    // A fixed threshold: what a face frees is unmapped, and not used for the next one.
    mallopt(M_MMAP_THRESHOLD, 1 << 16);
    const Address bind = loopback_v4();
    const structs::Library library;
    bool right = within_budget("engine", [&] { return Engine::open(engine); });
    right &=
        within_budget("structs", [&] { return structs::Messenger::open(library, {.bind = bind, .engine = engine}); });
    right &= within_budget("beacon", [&] { return beacon::Beacon::open({.bind = bind, .engine = engine}); });
    gtudp::OpenOptions options{.bind = bind, .engine = engine};
    right &= within_budget("gtudp", [&] { return gtudp::Messenger::open(options); });
    options.protocol.sends_max *= 8;
    right &= within_budget("gtudp, sends", [&] { return gtudp::Messenger::open(options); });
    options.protocol.receives_max *= 8;
    right &= within_budget("gtudp, receives", [&] { return gtudp::Messenger::open(options); });
    options.protocol.peers_max *= 8;
    right &= within_budget("gtudp, peers", [&] { return gtudp::Messenger::open(options); });
    std::exit(right ? 0 : 1);
}

class Memory : public OnBackend {
  protected:
    void SetUp() override {
        if (address_sanitizer || scale == 1) GTEST_SKIP() << "sanitizers have memory of their own";
        GTEST_FLAG_SET(death_test_style, "threadsafe");
        OnBackend::SetUp();
    }
};

TEST_P(Memory, is_at_most_what_memory_bytes_returns_and_not_much_less) {
    EXPECT_EXIT(measure_all({.backend = GetParam()}), ::testing::ExitedWithCode(0), "");
}

TEST_P(Memory, of_confirmed_messages_is_at_most_what_memory_bytes_returns) {
    const std::size_t before = allocated_bytes();
    confirmed::OpenOptions options{.bind = loopback_v4(), .engine = {.backend = GetParam()}};
    options.protocol.bytes_max = limits::datagram_bytes_max;
    auto messenger = confirmed::Messenger::open(options).value();
    const Peer silent(loopback_v4());
    const std::string text(60'000, 'x');
    std::size_t count = 0;
    while (messenger.send(text, {.to = silent.local()})) ++count;
    EXPECT_EQ(count, limits::confirmed_sends_per_peer_max);
    const std::size_t allocated = allocated_bytes() - before;
    EXPECT_GT(allocated, count * text.size());
    EXPECT_LE(allocated, messenger.memory_bytes());
    options.protocol.sends_max *= 2;
    EXPECT_GT(confirmed::Messenger::open(options)->memory_bytes(), messenger.memory_bytes());
}

RINGPOST_ON_BOTH_BACKENDS(Memory);

}  // namespace
}  // namespace ringpost::test
