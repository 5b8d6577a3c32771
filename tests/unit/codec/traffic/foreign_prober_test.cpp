// A prober with third-party probes: what counts as an answer, and when. Matching itself is tested in match_test.cpp.

#include <gtest/gtest.h>

#include "codec/traffic/prober.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

constexpr Instant probing_start = 5 * second;

class ForeignProberTest : public testing::Test {
  protected:
    ProberOptions options(std::string_view match, double rate_per_s, std::string_view text = "{seq:u8}{time:u64be}") {
        dialect.payload = {};
        EXPECT_TRUE(dialect.payload.add_text(text));
        dialect.match = *MatchRule::parse(match);
        return {.rate_per_s = rate_per_s, .timeout = millisecond, .start = probing_start, .dialect = &dialect};
    }
    Bytes probe(Prober& prober, Instant now) {
        auto sent = outbox.drain(prober, now);
        EXPECT_EQ(sent.size(), 1u);
        return sent.empty() ? Bytes{} : std::move(sent.front().bytes);
    }
    static void answer(Prober& prober, Instant now, const Bytes& bytes) { prober.handle(now, {{}, 0, bytes}); }

    Dialect dialect;
    Outbox outbox;
};

TEST_F(ForeignProberTest, ping_pong_measures_the_reply_and_sends_the_next_probe) {
    Prober prober(options("0:1", 0));
    for (std::uint8_t i = 0; i < 3; ++i) {
        const Instant now = probing_start + i * 100;
        const Bytes bytes = probe(prober, now);
        EXPECT_EQ(bytes.size(), 9u);
        EXPECT_EQ(bytes[0], std::byte{i});
        EXPECT_EQ(load_be<std::uint64_t>(&bytes[1]), static_cast<std::uint64_t>(now)) << "the due time";
        EXPECT_TRUE(outbox.drain(prober, now).empty()) << "one in flight";
        answer(prober, now + 100, {bytes[0], std::byte{0xff}});
    }
    EXPECT_EQ(prober.response().count(), 3u);
    EXPECT_EQ(prober.response().min(), 100);
    EXPECT_EQ(prober.response().max(), 100);
    EXPECT_EQ(prober.counters().lost(), 0u);
}

TEST_F(ForeignProberTest, open_loop_measures_from_the_due_time) {
    Prober prober(options("0:1", 1e6));
    const auto sent = outbox.drain(prober, probing_start + 2 * microsecond);
    ASSERT_EQ(sent.size(), 3u);
    answer(prober, probing_start + 10 * microsecond, sent[2].bytes);
    answer(prober, probing_start + 10 * microsecond, sent[0].bytes);
    EXPECT_EQ(prober.response().min(), 8 * microsecond);
    EXPECT_EQ(prober.response().max(), 10 * microsecond) << "the stall counts";
    EXPECT_EQ(prober.counters().reordered, 1u);
    EXPECT_EQ(prober.counters().lost(), 1u);
}

TEST_F(ForeignProberTest, other_replies_are_counted_but_not_measured) {
    Prober prober(options("0:1", 1e6));
    const Bytes bytes = probe(prober, probing_start);
    answer(prober, probing_start + 1, bytes_of("x"));
    answer(prober, probing_start + 1, {});
    EXPECT_EQ(prober.counters().foreign, 2u);
    EXPECT_EQ(prober.counters().lost(), 1u);
    answer(prober, probing_start + 2, bytes);
    answer(prober, probing_start + 3, bytes);
    EXPECT_EQ(prober.counters().duplicate, 1u);
    EXPECT_EQ(prober.counters().received, 4u);
    EXPECT_EQ(prober.counters().lost(), 0u);
    EXPECT_EQ(prober.response().count(), 1u);
}

TEST_F(ForeignProberTest, a_late_reply_is_measured_and_no_longer_lost) {
    Prober prober(options("0:1", 0));
    const Bytes first = probe(prober, probing_start);
    prober.handle_timeout(probing_start + millisecond);
    const Bytes next = probe(prober, probing_start + millisecond);
    answer(prober, probing_start + millisecond, first);
    EXPECT_EQ(prober.counters().late, 1u);
    EXPECT_EQ(prober.counters().lost(), 1u);
    EXPECT_EQ(prober.response().max(), millisecond);
    EXPECT_TRUE(outbox.drain(prober, probing_start + millisecond).empty()) << "the second is still in flight";
    answer(prober, probing_start + millisecond + 1, next);
    EXPECT_EQ(prober.counters().lost(), 0u);
}

TEST_F(ForeignProberTest, by_order_the_reply_after_a_lost_one_is_taken_for_the_next_probe) {
    Prober prober(options("order", 0));
    probe(prober, probing_start);
    prober.handle_timeout(probing_start + millisecond);
    probe(prober, probing_start + millisecond);
    answer(prober, probing_start + millisecond + 5, bytes_of("whatever"));
    EXPECT_EQ(prober.response().max(), 5);
    EXPECT_EQ(prober.counters().lost(), 1u);
    answer(prober, probing_start + millisecond + 6, bytes_of("whatever"));
    EXPECT_EQ(prober.counters().surplus, 1u);
    EXPECT_EQ(prober.counters().lost(), 1u);
    EXPECT_EQ(prober.match_counts()->given_up, 1u);
}

TEST_F(ForeignProberTest, probes_of_several_sizes) {
    ProberOptions made = options("echo", 1e6, "short");
    ASSERT_TRUE(dialect.payload.add_bytes(Bytes(limits::datagram_bytes_max, std::byte{1})));
    Prober prober(made);
    const auto sent = outbox.drain(prober, probing_start + 2 * microsecond);
    ASSERT_EQ(sent.size(), 3u);
    EXPECT_EQ(sent[0].bytes, bytes_of("short"));
    EXPECT_EQ(sent[1].transmit.bytes, limits::datagram_bytes_max);
    EXPECT_EQ(sent[2].transmit.segment_bytes, 5u);
    // The first and the third probe have the same bytes: the older is given up, and only one of them can be answered.
    for (const Sent& one : sent) answer(prober, probing_start + 9 * microsecond, one.bytes);
    EXPECT_EQ(prober.match_counts()->reused, 1u);
    EXPECT_EQ(prober.counters().duplicate, 1u);
    EXPECT_EQ(prober.counters().lost(), 1u);
}

TEST_F(ForeignProberTest, timestamps_and_flows_work_as_for_own_frames) {
    for (const double rate : {0.0, 1e6}) {
        SCOPED_TRACE(rate);
        ProberOptions made = options("0:1", rate);
        made.stamps = true;
        made.flows = 2;
        made.destination = Address::v4(239, 1, 2, 3, 9);
        Prober prober(made);
        for (std::uint32_t i = 0; i < 3; ++i) {
            const Instant left = probing_start + i * microsecond;
            const auto sent = outbox.drain(prober, left);
            ASSERT_EQ(sent.size(), 1u);
            EXPECT_EQ(sent[0].transmit.socket, i % 2);
            EXPECT_EQ(sent[0].transmit.destination, made.destination);
            prober.handle(left + 100, {{}, i % 2, sent[0].bytes, i < 2 ? left + 70 : never});
        }
        EXPECT_EQ(prober.path().count(), 2u);
        EXPECT_EQ(prober.path().max(), 70);
        EXPECT_EQ(prober.pickup().max(), 30);
        EXPECT_EQ(prober.counters().unstamped, 1u);
    }
}

TEST_F(ForeignProberTest, each_flow_has_its_own_numbers_and_keys) {
    ProberOptions made = options("0:1", 1e6, "{seq:u8}");
    made.flows = 3;
    made.first_socket = 5;
    Prober prober(made);
    const auto sent = outbox.drain(prober, probing_start + 5 * microsecond);
    ASSERT_EQ(sent.size(), 6u);
    for (std::uint8_t i = 0; i < 6; ++i) {
        EXPECT_EQ(sent[i].transmit.socket, 5u + i % 3);
        EXPECT_EQ(sent[i].bytes, Bytes{std::byte(i / 3)});
    }
    // The last of flow 2 first, then the first of flow 0: both carry a byte that other flows have sent too.
    prober.handle(probing_start + 10 * microsecond, {{}, 7, sent[5].bytes});
    EXPECT_EQ(prober.response().max(), 5 * microsecond);
    prober.handle(probing_start + 10 * microsecond, {{}, 5, sent[0].bytes});
    EXPECT_EQ(prober.response().max(), 10 * microsecond);
    EXPECT_EQ(prober.counters().reordered, 1u);
    prober.handle(probing_start + 10 * microsecond, {{}, 7, sent[5].bytes});
    EXPECT_EQ(prober.counters().duplicate, 1u);
    for (const SocketIndex other : {4u, 8u})
        prober.handle(probing_start + 10 * microsecond, {{}, other, sent[1].bytes});
    EXPECT_EQ(prober.counters().foreign, 2u) << "not one of its sockets";
    EXPECT_EQ(prober.match_counts()->reused, 0u);
    EXPECT_EQ(prober.unanswered(), 4u);
}

TEST_F(ForeignProberTest, by_order_each_flow_has_its_own) {
    ProberOptions made = options("order", 1e6);
    made.flows = 2;
    Prober prober(made);
    ASSERT_EQ(outbox.drain(prober, probing_start + 3 * microsecond).size(), 4u);
    prober.handle(probing_start + 3 * microsecond, {{}, 1, {}});
    EXPECT_EQ(prober.response().max(), 2 * microsecond) << "probe 1, the first of its flow";
    prober.handle(probing_start + 3 * microsecond, {{}, 0, {}});
    EXPECT_EQ(prober.response().max(), 3 * microsecond);
    for (int i = 0; i < 2; ++i) prober.handle(probing_start + 4 * microsecond, {{}, 1, {}});
    EXPECT_EQ(prober.counters().surplus, 1u);
    EXPECT_EQ(prober.unanswered(), 1u);
}

TEST_F(ForeignProberTest, a_probe_that_expired_is_not_waiting_when_its_bytes_are_sent_again) {
    ProberOptions made = options("0:1", 1e3, "x");
    made.timeout = millisecond;
    Prober prober(made);
    probe(prober, probing_start);
    const Bytes second_probe = probe(prober, probing_start + millisecond);
    EXPECT_EQ(prober.match_counts()->reused, 0u);
    answer(prober, probing_start + millisecond + 9, second_probe);
    EXPECT_EQ(prober.match_counts()->ambiguous, 1u);
    EXPECT_EQ(prober.unanswered(), 1u);
}

TEST_F(ForeignProberTest, an_error_is_an_answer_without_a_time) {
    ProberOptions made = options("0:1", 0);
    Expectation expectation;
    expectation.size_min = expectation.size_max = 2;
    dialect.check = AnswerCheck::expected(expectation);
    Prober prober(made);
    const Bytes first = probe(prober, probing_start);
    answer(prober, probing_start + 10, first);  // 9 bytes
    EXPECT_EQ(prober.counters().errors, 1u);
    EXPECT_EQ(prober.counters().lost(), 0u);
    EXPECT_EQ(prober.response().count(), 0u);
    const Bytes next = probe(prober, probing_start + 20);
    ASSERT_FALSE(next.empty()) << "an error releases the next probe";
    answer(prober, probing_start + 25, {next[0], next[1]});
    EXPECT_EQ(prober.response().max(), 5);
    EXPECT_EQ(prober.counters().errors, 1u);
    ASSERT_EQ(prober.statuses().size(), 3u);
    EXPECT_EQ(prober.statuses()[0], 1u);
    EXPECT_EQ(prober.statuses()[1], 1u);
    answer(prober, probing_start + 26, first);
    EXPECT_EQ(prober.counters().duplicate, 1u);
    EXPECT_EQ(prober.statuses()[1], 1u) << "a duplicate has no status";
}

TEST_F(ForeignProberTest, what_is_not_a_reply_leaves_the_probe_waiting) {
    ProberOptions made = options("0:1", 0);
    dialect.check = AnswerCheck::dns(bytes_from_hex("0000010001"));
    Prober prober(made);
    const Bytes bytes = probe(prober, probing_start);
    answer(prober, probing_start + 1, bytes);
    EXPECT_EQ(prober.counters().foreign, 1u);
    EXPECT_EQ(prober.counters().not_a_reply, 1u);
    EXPECT_EQ(prober.counters().lost(), 1u);
    answer(prober, probing_start + 2, bytes_from_hex("0000800000010000000000000000010001"));
    EXPECT_EQ(prober.counters().lost(), 0u);
    EXPECT_EQ(prober.response().max(), 2);
}

}  // namespace
}  // namespace ringpost::traffic
