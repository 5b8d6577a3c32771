#include "apps/cli/cores.hpp"

#include <gtest/gtest.h>

namespace ringpost::apps {
namespace {

TEST(CoreOf, pins_nothing_without_cores) {
    for (const std::uint32_t engines : {1u, 4u})
        for (const bool self : {false, true})
            for (const Side side : {Side::near, Side::far})
                for (std::size_t index = 0; index < engines; ++index)
                    EXPECT_FALSE(core_of({.count = engines, .cores = {}, .self = self}, side, index));
}

TEST(CoreOf, assigns_cores_round_robin_with_the_near_end_first) {
    const ThreadOptions threads{.count = 2, .cores = {4, 6, 7}, .self = true};
    EXPECT_EQ(core_of(threads, Side::near, 0), 4);
    EXPECT_EQ(core_of(threads, Side::near, 1), 6);
    EXPECT_EQ(core_of(threads, Side::far, 0), 7);
    EXPECT_EQ(core_of(threads, Side::far, 1), 4);
}

}  // namespace
}  // namespace ringpost::apps
