#include "codec/traffic/receiver_table.hpp"

#include <gtest/gtest.h>

#include "codec/base/limits.hpp"

namespace ringpost::traffic {
namespace {

Address receiver(std::uint32_t number) {
    return Address::v4(10, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number), 7'777);
}

TEST(ReceiverTable, replies_belong_to_their_receiver) {
    ReceiverTable table(SipKey{1, 2});
    EXPECT_TRUE(table.rows().empty());
    table.record(receiver(2), 0, 100);
    table.record(receiver(1), 0, 300);
    table.record(receiver(2), 1, 200);
    table.record(receiver(2), 1, 900);
    table.record(receiver(1), 5, 400);
    ASSERT_EQ(table.rows().size(), 2u);
    const ReceiverRow &first = table.rows()[0], &second = table.rows()[1];
    EXPECT_EQ(first.source, receiver(2)) << "in the order of their first replies";
    EXPECT_EQ(first.answered, 2u);
    EXPECT_EQ(first.duplicate, 1u);
    EXPECT_EQ(first.response.max(), 200) << "without the duplicate";
    EXPECT_EQ(second.source, receiver(1));
    EXPECT_EQ(second.answered, 2u);
    EXPECT_EQ(second.duplicate, 0u);
    EXPECT_EQ(second.response.min(), 300);
    EXPECT_EQ(table.others(), 0u);
}

TEST(ReceiverTable, those_beyond_the_limit_are_counted_together) {
    ReceiverTable table(SipKey{1, 2});
    for (std::uint64_t sequence = 0; sequence < 3; ++sequence)
        for (std::uint32_t i = 0; i < limits::receivers_max + 2; ++i) table.record(receiver(i), sequence, 1);
    EXPECT_EQ(table.rows().size(), limits::receivers_max);
    for (const ReceiverRow& row : table.rows()) EXPECT_EQ(row.answered, 3u);
    EXPECT_EQ(table.others(), 6u);
}

}  // namespace
}  // namespace ringpost::traffic
