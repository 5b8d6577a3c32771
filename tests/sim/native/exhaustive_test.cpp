// A short exchange of some twelve packets in which every single packet, every pair and every three are lost. It ends
// with a close, so that the last packets matter too.

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/sim/native/pair.hpp"

namespace ringpost::sim {
namespace {

using Lost = std::set<std::uint64_t>;  // by the number of the packet among all that are sent

std::string describe_lost(const Lost& lost) {
    std::string out = "lost:";
    for (const std::uint64_t n : lost) out += " " + std::to_string(n);
    return out;
}

// Returns the number of packets sent until the end, at most those up to `enough`.
std::uint64_t play_lost(const Lost& lost) {
    SCOPED_TRACE(describe_lost(lost));
    NativeSettings settings;
    settings.options = small_native_options();
    settings.options.channels = 2;
    NativePair pair(1, settings);
    std::uint64_t packets = 0;
    pair.network.decide([&](std::uint64_t n) {
        ++packets;
        return Fate{.copies = lost.contains(n) ? 0u : 1u};
    });
    pair.send(0, 0, 1'000, 3);
    pair.send(1, 0, 64, 2);
    pair.run_for(5 * millisecond);
    pair.send(0, 1, 2'000);
    pair.run_for(20 * millisecond);
    pair.send(1, 1, 10);
    pair.run_for(30 * millisecond);
    pair.close(0, 60 * second);
    pair.run_for(20 * second);
    EXPECT_TRUE(pair.oracles[0].all_delivered());
    for (const auto& node : pair.nodes) {
        EXPECT_TRUE(node->closed.has_value());
        EXPECT_TRUE(node->connection->ended());
    }
    EXPECT_TRUE(pair.nodes[0]->closed.value_or(native::CloseOutcome{}).all_delivered);
    return packets;
}

TEST(NativeExhaustive, every_packet_every_pair_and_every_three_are_lost) {
    const std::uint64_t undisturbed = play_lost({});
    EXPECT_GE(undisturbed, 11u);
    EXPECT_LE(undisturbed, 20u);
    for (std::uint64_t a = 0; a < undisturbed; ++a) {
        const std::uint64_t one_lost = play_lost({a});
        for (std::uint64_t b = a + 1; b < std::min(one_lost, undisturbed + 3); ++b) {
            const std::uint64_t two_lost = play_lost({a, b});
            for (std::uint64_t c = b + 1; c < std::min(two_lost, undisturbed + 3) && !testing::Test::HasFailure(); ++c)
                play_lost({a, b, c});
        }
    }
}

}  // namespace
}  // namespace ringpost::sim
