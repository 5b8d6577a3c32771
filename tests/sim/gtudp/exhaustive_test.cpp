// A short exchange, two messages in one direction and one in the other, in which every single datagram and every pair
// is lost, duplicated at once, or duplicated late.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/sim/gtudp/duo.hpp"

namespace ringpost::sim {
namespace {

// By the number of the datagram among all that are sent.
using Fates = std::map<std::uint64_t, Fate>;

constexpr Fate lost{.copies = 0}, repeated{.copies = 2}, repeated_late{.copies = 2, .later = 7 * second};

std::string describe(const Fates& fates) {
    std::string out;
    for (const auto& [n, fate] : fates)
        out += "datagram " + std::to_string(n) + ": " + std::to_string(fate.copies) + " copies, " +
               std::to_string(fate.later) + " ns later; ";
    return out;
}

// Returns the number of datagrams used.
std::uint64_t play(const Fates& fates) {
    SCOPED_TRACE(describe(fates));
    Duo duo(1, small_options(1), {.delay = 10 * millisecond});
    std::uint64_t datagrams = 0;
    duo.network.decide([&](std::uint64_t n) {
        ++datagrams;
        const auto fate = fates.find(n);
        return fate == fates.end() ? Fate{} : fate->second;
    });
    duo.send(0, "the first");
    duo.send(0, "the second");
    duo.send(1, "an answer");
    duo.finish();
    EXPECT_EQ(duo.endpoints[0]->counters().delivered, 1u);
    EXPECT_EQ(duo.endpoints[1]->counters().delivered, 2u);
    return datagrams;
}

TEST(GtudpExhaustive, three_datagrams_a_message_without_faults) { EXPECT_EQ(play({}), 9u); }

// Which datagrams are sent depends on the fate of the earlier ones: the second of a pair is chosen among those sent
// when only the first has its fate.
TEST(GtudpExhaustive, every_pair_of_datagrams_lost_or_repeated) {
    std::uint64_t plays = 0;
    const std::uint64_t undisturbed = play({});
    for (const Fate& first : {lost, repeated, repeated_late}) {
        for (std::uint64_t n = 0; n < undisturbed; ++n) {
            const std::uint64_t datagrams = play({{n, first}});
            for (const Fate& second : {lost, repeated, repeated_late}) {
                for (std::uint64_t m = n + 1; m < datagrams && !testing::Test::HasFailure(); ++m, ++plays)
                    play({{n, first}, {m, second}});
            }
        }
    }
    EXPECT_GT(plays, 3u * 3u * undisturbed * (undisturbed - 1) / 2);
}

TEST(GtudpExhaustive, every_three_datagrams_lost) {
    const std::uint64_t undisturbed = play({});
    for (std::uint64_t n = 0; n < undisturbed; ++n) {
        const std::uint64_t one_lost = play({{n, lost}});
        for (std::uint64_t m = n + 1; m < one_lost; ++m) {
            const std::uint64_t two_lost = play({{n, lost}, {m, lost}});
            for (std::uint64_t k = m + 1; k < two_lost && !testing::Test::HasFailure(); ++k)
                play({{n, lost}, {m, lost}, {k, lost}});
        }
    }
}

}  // namespace
}  // namespace ringpost::sim
