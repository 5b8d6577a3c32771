#include "codec/native/flow.hpp"

#include <gtest/gtest.h>

namespace ringpost::native {
namespace {

TEST(ReceiveCredit, offers_again_after_half_a_window) {
    ReceiveCredit credit(1'000);
    EXPECT_TRUE(credit.receive(1'000));
    credit.consume(499);
    EXPECT_FALSE(credit.update_due());
    credit.consume(1);
    ASSERT_TRUE(credit.update_due());
    EXPECT_EQ(credit.take_update(), 1'500u);
    EXPECT_FALSE(credit.update_due());
    EXPECT_TRUE(credit.receive(500));
    EXPECT_FALSE(credit.receive(1));
}

TEST(ReceiveCredit, a_blocked_peer_gets_what_there_is_at_once) {
    ReceiveCredit credit(1'000);
    EXPECT_TRUE(credit.receive(900));
    credit.consume(10);
    EXPECT_FALSE(credit.update_due());
    credit.on_blocked();
    ASSERT_TRUE(credit.update_due());
    EXPECT_EQ(credit.take_update(), 1'010u);
}

// The peer is blocked before it can be given anything. An offer that is repeated meanwhile, because its packet was
// called lost, holds nothing new: the peer still waits.
TEST(ReceiveCredit, a_repeated_offer_does_not_help_a_blocked_peer) {
    ReceiveCredit credit(1'000);
    EXPECT_TRUE(credit.receive(900));
    credit.on_blocked();
    EXPECT_FALSE(credit.update_due());
    credit.repeat();
    ASSERT_TRUE(credit.update_due());
    EXPECT_EQ(credit.take_update(), 1'000u);
    credit.consume(10);
    ASSERT_TRUE(credit.update_due());
    EXPECT_EQ(credit.take_update(), 1'010u);
    credit.consume(10);
    EXPECT_FALSE(credit.update_due()) << "it may go on";
}

TEST(SendCredit, each_limit_is_reported_once) {
    SendCredit credit(100);
    credit.use(90);
    EXPECT_TRUE(credit.report_blocked());
    EXPECT_FALSE(credit.report_blocked());
    EXPECT_FALSE(credit.raise(100)) << "nothing new";
    EXPECT_FALSE(credit.report_blocked());
    credit.forget_report();
    EXPECT_TRUE(credit.report_blocked()) << "the report was lost";
    EXPECT_TRUE(credit.raise(101));
    EXPECT_TRUE(credit.report_blocked()) << "still too little";
}

}  // namespace
}  // namespace ringpost::native
