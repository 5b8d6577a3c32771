#include "codec/base/bytes.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

#include "tests/unit/helpers.hpp"

namespace ringpost {
namespace {

// The contract of the functions, spelled out byte by byte.
template <class T>
T assembled(const std::byte* at, bool big) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value = value << 8 | std::to_integer<std::uint64_t>(at[big ? i : sizeof(T) - 1 - i]);
    return static_cast<T>(value);
}

template <class T>
class BytesOf : public testing::Test {};

using Widths = testing::Types<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(BytesOf, Widths);

TYPED_TEST(BytesOf, loads_in_the_stated_order_at_any_alignment) {
    Random random(1);
    for (int round = 0; round < 100; ++round) {
        const Bytes bytes = random_bytes(random, 16);
        for (std::size_t offset = 0; offset < 8; ++offset) {
            EXPECT_EQ(load_be<TypeParam>(&bytes[offset]), assembled<TypeParam>(&bytes[offset], true));
            EXPECT_EQ(load_le<TypeParam>(&bytes[offset]), assembled<TypeParam>(&bytes[offset], false));
        }
    }
}

TYPED_TEST(BytesOf, stores_what_loads_back_and_touches_nothing_else) {
    Random random(2);
    for (std::size_t offset = 0; offset < 8; ++offset) {
        const auto value = static_cast<TypeParam>(random());
        for (const bool big : {true, false}) {
            const Bytes before = random_bytes(random, 17);
            Bytes after = before;
            big ? store_be(&after[offset], value) : store_le(&after[offset], value);
            EXPECT_EQ(assembled<TypeParam>(&after[offset], big), value);
            for (std::size_t i = 0; i < after.size(); ++i)
                EXPECT_TRUE((i >= offset && i < offset + sizeof(TypeParam)) || after[i] == before[i]) << i;
        }
    }
}

TEST(Bytes, known_orders) {
    std::array<std::byte, 4> out{};
    store_be<std::uint32_t>(out.data(), 0x01020304);
    EXPECT_EQ(out, (std::array{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}));
    store_le<std::uint32_t>(out.data(), 0x01020304);
    EXPECT_EQ(out, (std::array{std::byte{4}, std::byte{3}, std::byte{2}, std::byte{1}}));
}

}  // namespace
}  // namespace ringpost
