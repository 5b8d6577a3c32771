#include "codec/traffic/duplex.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

TEST(Duplex, sends_from_the_source_and_verifies_replies) {
    Source source({.rate_per_s = 1e6, .start = 1'000, .stop = 2'500});
    Sink sink({.key = {1, 2}});
    Duplex duplex(source, sink);
    Outbox outbox;
    EXPECT_EQ(duplex.poll_timeout(), 1'000);
    const auto sent = outbox.poll(duplex, 1'000);
    ASSERT_TRUE(sent);
    EXPECT_TRUE(decode(sent->bytes));
    EXPECT_EQ(source.sent(), 1u);

    duplex.handle(1'500, {Address::v4(10, 0, 0, 1, 9), 0, sent->bytes});
    duplex.handle(1'600, {Address::v4(10, 0, 0, 1, 9), 0, {}});
    EXPECT_EQ(sink.counters().received, 2u);
    EXPECT_EQ(sink.counters().corrupt, 1u);
    EXPECT_EQ(source.unexpected(), 0u);
    EXPECT_FALSE(duplex.poll_event());

    duplex.handle_timeout(2'500);
    EXPECT_FALSE(duplex.poll_timeout());
    EXPECT_FALSE(outbox.poll(duplex, 2'500));
}

}  // namespace
}  // namespace ringpost::traffic
