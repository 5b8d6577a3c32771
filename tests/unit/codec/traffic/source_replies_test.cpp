#include "codec/traffic/source.hpp"

#include <gtest/gtest.h>

#include "codec/traffic/sink.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

TEST(SourceWithReplies, sends_and_verifies_what_comes_back) {
    Sink sink({.key = {1, 2}});
    Source source({.rate_per_s = 1e6, .start = 1'000, .stop = 2'500, .replies = &sink});
    Outbox outbox;
    EXPECT_EQ(source.poll_timeout(), 1'000);
    const auto sent = outbox.poll(source, 1'000);
    ASSERT_TRUE(sent);
    EXPECT_TRUE(decode(sent->bytes));
    EXPECT_EQ(source.sent(), 1u);

    source.handle(1'500, {Address::v4(10, 0, 0, 1, 9), 0, sent->bytes});
    source.handle(1'600, {Address::v4(10, 0, 0, 1, 9), 0, {}});
    EXPECT_EQ(sink.counters().received, 2u);
    EXPECT_EQ(sink.counters().corrupt, 1u);
    EXPECT_EQ(source.unexpected(), 0u);
    EXPECT_FALSE(source.poll_event());

    source.handle_timeout(2 * millisecond);
    EXPECT_FALSE(source.poll_timeout());
    EXPECT_FALSE(outbox.poll(source, 2 * millisecond));
}

}  // namespace
}  // namespace ringpost::traffic
