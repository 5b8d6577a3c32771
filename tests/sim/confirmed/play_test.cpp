#include "tests/sim/confirmed/play.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

using confirmed::Outcome;

Duration up_to(Random& random, Duration most) {
    return static_cast<Duration>(random.below(static_cast<std::uint64_t>(most) + 1));
}

/// A network with all faults that its kind allows.
ConfirmedTerms drawn(std::uint64_t seed, bool doubles, bool changes) {
    Random random(seed);
    ConfirmedTerms terms;
    terms.link = {.loss = random.chance(0.5) ? 0.3 : 0.02,
                  .duplicate = doubles ? 0.3 : 0.0,
                  .corrupt = changes ? 0.2 : 0.0,
                  .truncate = changes ? 0.1 : 0.0,
                  .delay = up_to(random, second),
                  .jitter = up_to(random, second)};
    terms.thinks_ns_max = up_to(random, second);
    terms.ignores = 0.1;
    terms.refuses = 0.2;
    terms.every_ns_max = 1 + up_to(random, 2 * second);
    terms.timeout_ns_max = 1 + up_to(random, 20 * second);
    terms.restarts = static_cast<std::uint32_t>(random.below(3));
    return terms;
}

void play(std::uint64_t seed, const ConfirmedTerms& terms) {
    ConfirmedPlay play(seed, terms);
    ASSERT_NO_FATAL_FAILURE(play.run());
    play.expect_truth();
}

TEST(ConfirmedPlay, perfect_network_confirms_everything) {
    for_each_seed(5, [](std::uint64_t seed) {
        ConfirmedTerms terms;
        terms.link = {.delay = 3 * millisecond, .jitter = 2 * millisecond};
        ConfirmedPlay play(seed, terms);
        ASSERT_NO_FATAL_FAILURE(play.run());
        play.expect_truth();
        EXPECT_EQ(play.outcomes[Outcome::confirmed] + play.outcomes[Outcome::timed_out], 2 * terms.messages);
        // Timeouts are random, and some are shorter than a round trip.
        EXPECT_GT(play.outcomes[Outcome::confirmed], 2 * terms.messages - 10);
    });
}

TEST(ConfirmedPlay, answers_are_matched_correctly_with_loss_and_delay) {
    for_each_seed(150, [](std::uint64_t seed) { play(seed, drawn(seed, false, false)); });
}

TEST(ConfirmedPlay, answers_are_matched_correctly_with_corruption) {
    for_each_seed(150, [](std::uint64_t seed) { play(seed, drawn(seed, false, true)); });
}

TEST(ConfirmedPlay, answers_are_matched_correctly_with_announced_duplication) {
    for_each_seed(150, [](std::uint64_t seed) { play(seed, drawn(seed, true, true)); });
}

// Shows that waiting is necessary and that the oracle detects its absence: an endpoint configured for a network without
// delay and duplication matches answers incorrectly and reorders messages.
TEST(ConfirmedPlay, wrong_assumptions_lead_to_wrong_matches) {
    for (const bool doubles : {false, true}) {
        std::uint64_t mistaken = 0, out_of_order = 0;
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            ConfirmedTerms terms = drawn(seed, doubles, false);
            terms.informed = false;
            ConfirmedPlay play(seed, terms);
            ASSERT_NO_FATAL_FAILURE(play.run());
            play.expect_truth();
            mistaken += play.mistaken;
            out_of_order += play.out_of_order;
        }
        EXPECT_GT(mistaken, 0u);
        EXPECT_GT(out_of_order, 0u);
    }
}

TEST(ConfirmedPlay, same_seed_gives_the_same_run) {
    const auto hash_of = [](std::uint64_t seed) {
        ConfirmedPlay play(seed, drawn(seed, true, true));
        play.run();
        return play.network.trace_hash();
    };
    for_each_seed(5, [&](std::uint64_t seed) { EXPECT_EQ(hash_of(seed), hash_of(seed)); });
    EXPECT_NE(hash_of(1), hash_of(2));
}

}  // namespace
}  // namespace ringpost::sim
