#include "codec/native/receive_window.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace ringpost::native {
namespace {

using Answer = ReceiveWindow::Answer;

TEST(NativeReceiveWindow, each_number_once) {
    ReceiveWindow window(128);
    EXPECT_EQ(window.next(), 0u);
    for (const std::uint64_t number : {0u, 5u, 3u}) {
        EXPECT_EQ(window.ask(number), Answer::fresh);
        window.record(number);
        EXPECT_EQ(window.ask(number), Answer::duplicate);
    }
    EXPECT_EQ(window.next(), 6u);
    EXPECT_EQ(window.ask(4), Answer::fresh) << "asking changes nothing";
    EXPECT_EQ(window.ask(4), Answer::fresh);
}

TEST(NativeReceiveWindow, a_jump_forgets_everything) {
    ReceiveWindow window(128);
    window.record(3);
    window.record(1'000'000);
    EXPECT_EQ(window.ask(3), Answer::too_old);
    EXPECT_EQ(window.ask(999'999), Answer::fresh);
    EXPECT_EQ(window.ask(1'000'000 - 63), Answer::fresh);
    EXPECT_EQ(window.ask(1'000'000 - 64), Answer::too_old);
}

TEST(NativeReceiveWindow, agrees_with_a_set) {
    for (const std::uint32_t packets : {128u, 1'024u, 65'536u}) {
        std::mt19937_64 random(packets);
        ReceiveWindow window(packets);
        std::set<std::uint64_t> received;
        std::uint64_t next = 0;
        for (int i = 0; i < 20'000; ++i) {
            const std::uint64_t jump = random() % 500 == 0 ? packets / 3 : random() % 4;
            const std::uint64_t number = random() % 2 == 0 ? next + jump : next - std::min(next, random() % packets);
            const bool too_old = number < next && next - number > packets - 64;
            const Answer expected = too_old                     ? Answer::too_old
                                    : received.contains(number) ? Answer::duplicate
                                                                : Answer::fresh;
            ASSERT_EQ(window.ask(number), expected) << number << " of " << next;
            if (expected != Answer::fresh) continue;
            window.record(number);
            received.insert(number);
            next = std::max(next, number + 1);
            ASSERT_EQ(window.next(), next);
        }
    }
}

}  // namespace
}  // namespace ringpost::native
