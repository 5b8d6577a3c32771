#include "codec/base/zeroed_array.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace ringpost {
namespace {

TEST(ZeroedArray, is_zero_and_keeps_what_is_written) {
    for (const std::size_t size : {0u, 1u, 8'191u, 8'192u, 1'000'000u}) {
        ZeroedArray<std::uint64_t> array(size);
        ASSERT_EQ(array.size(), size);
        for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(std::exchange(array[i], i + 1), 0u) << i << " of " << size;
        for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(array[i], i + 1);
    }
}

TEST(ZeroedArray, can_be_moved) {
    ZeroedArray<int> first(100'000), second(3);
    first[99'999] = 7;
    second[2] = 8;
    ZeroedArray<int> moved = std::move(first);
    EXPECT_EQ(moved[99'999], 7);
    moved = std::move(second);
    EXPECT_EQ(moved[2], 8);
    EXPECT_EQ(moved.size(), 3u);
}

TEST(IndexArray, has_no_index_at_first) {
    IndexArray indices(1'000);
    for (std::size_t i = 0; i < indices.size(); ++i) ASSERT_EQ(indices[i], IndexArray::none);
    indices.set(999, 0);
    EXPECT_EQ(indices[999], 0u);
    indices.set(999, IndexArray::none);
    EXPECT_EQ(indices[999], IndexArray::none);
}

}  // namespace
}  // namespace ringpost
