#include "codec/base/allocated.hpp"

#include <gtest/gtest.h>

namespace ringpost {
namespace {

int handled = 0;

TEST(Allocated, is_repeated_as_long_as_the_new_handler_returns) {
    const std::new_handler before = std::set_new_handler([] { ++handled; });
    int memory = 0, tries = 0;
    int* const made = allocated([&] { return ++tries < 4 ? nullptr : &memory; });
    std::set_new_handler(before);
    EXPECT_EQ(made, &memory);
    EXPECT_EQ(handled, 3);
}

TEST(Allocated, aborts_without_a_handler) {
    const std::new_handler before = std::set_new_handler(nullptr);
    EXPECT_DEATH(allocated([]() -> int* { return nullptr; }), "");
    std::set_new_handler(before);
}

}  // namespace
}  // namespace ringpost
