#include "codec/gtudp/index_list.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "tests/unit/helpers.hpp"

namespace ringpost::gtudp {
namespace {

TEST(GtudpIndexList, first_in_first_out) {
    IndexList list(4);
    EXPECT_EQ(list.size(), 0u);
    for (const std::uint32_t index : {2u, 0u, 3u}) list.push(index);
    for (const std::uint32_t index : {2u, 0u, 3u}) {
        EXPECT_EQ(list.front(), index);
        list.erase(index);
    }
    EXPECT_EQ(list.size(), 0u);
}

TEST(GtudpIndexList, agrees_with_a_model) {
    for (const std::uint32_t capacity : {1u, 2u, 7u, 32u}) {
        Random random(capacity);
        IndexList list(capacity);
        std::deque<std::uint32_t> model;
        for (int step = 0; step < 5'000; ++step) {
            const auto index = static_cast<std::uint32_t>(random() % capacity);
            if (std::erase(model, index) > 0) {
                list.erase(index);
            } else {
                model.push_back(index);
                list.push(index);
            }
            ASSERT_EQ(list.size(), model.size());
            if (!model.empty()) {
                ASSERT_EQ(list.front(), model.front());
            }
        }
    }
}

}  // namespace
}  // namespace ringpost::gtudp
