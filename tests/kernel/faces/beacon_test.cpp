// beacon::Beacon on both backends.

#include <ringpost/beacon.hpp>
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::beacon {
namespace {

using BeaconTest = test::OnBackend;

TEST_P(BeaconTest, sends_its_rounds_to_a_target) {
    Beacon target = Beacon::open({.bind = test::loopback_v4(), .engine = {.backend = GetParam()}}).value();
    OpenOptions sending{.bind = test::loopback_v4(), .engine = {.backend = GetParam()}};
    sending.protocol.targets = {{target.local(), {127, 0, 0, 1}}};
    sending.protocol.quote = "still here";
    sending.protocol.period = millisecond;
    sending.protocol.rounds = 2;
    Beacon source = Beacon::open(sending).value();
    const Beacon::Handler ignore = [](const Event&) {};
    for (const Instant give_up = now() + test::patience; !source.finished() && now() < give_up;)
        source.poll(millisecond, ignore);
    EXPECT_EQ(source.counters().sent, 2u);
    std::vector<std::uint64_t> counts;
    const Beacon::Handler handler = [&](const Event& event) {
        EXPECT_FALSE(event.error);
        EXPECT_EQ(event.quote, "still here");
        EXPECT_TRUE(event.elapsed_s.has_value());
        counts.push_back(event.count);
    };
    while (counts.size() < 2 && target.poll(test::patience, handler)) continue;
    EXPECT_EQ(counts, (std::vector<std::uint64_t>{1, 2}));
}

RINGPOST_ON_BOTH_BACKENDS(BeaconTest);

}  // namespace
}  // namespace ringpost::beacon
