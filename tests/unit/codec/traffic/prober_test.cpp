#include "codec/traffic/prober.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

constexpr Instant start = 5 * second;
constexpr std::uint32_t stream = 77;

class ProberTest : public testing::Test {
  protected:
    static ProberOptions ping_pong(std::uint64_t count) {
        return {.stream = stream, .timeout = millisecond, .start = start, .count = count};
    }
    static ProberOptions open_loop(std::uint64_t count) {
        return {.stream = stream, .rate_per_s = 1e6, .start = start, .count = count};
    }
    // The probe sent at `now`; there must be exactly one.
    Bytes probe(Prober& prober, Instant now) {
        auto sent = outbox.drain(prober, now);
        EXPECT_EQ(sent.size(), 1u);
        return sent.empty() ? Bytes{} : std::move(sent.front().bytes);
    }
    static void answer(Prober& prober, Instant now, const Bytes& bytes) { prober.handle(now, {{}, 0, bytes}); }
    static Bytes forged(const Frame& frame) {
        const FrameWriter writer(64);
        Bytes out(64);
        writer.prepare(out, 1);
        writer.write(out.data(), frame, 1);
        return out;
    }

    Outbox outbox;
};

TEST_F(ProberTest, ping_pong_sends_the_next_probe_when_the_last_is_answered) {
    Prober prober(ping_pong(3));
    EXPECT_EQ(prober.poll_timeout(), start);
    EXPECT_TRUE(outbox.drain(prober, start - 1).empty());
    Instant now = start;
    for (std::uint64_t i = 0; i < 3; ++i, now += 100) {
        const Bytes bytes = probe(prober, now);
        EXPECT_EQ(decode(bytes), (Frame{stream, i, now}));
        EXPECT_TRUE(outbox.drain(prober, now).empty()) << "one in flight";
        EXPECT_EQ(prober.poll_timeout(), now + millisecond);
        answer(prober, now + 100, bytes);
    }
    EXPECT_FALSE(prober.poll_timeout());
    EXPECT_TRUE(prober.finished(now, second)) << "everything is answered: no need to linger";
    EXPECT_EQ(prober.counters().lost(), 0u);
    EXPECT_EQ(prober.response().count(), 3u);
    EXPECT_EQ(prober.response().min(), 100);
    EXPECT_EQ(prober.response().max(), 100);
}

TEST_F(ProberTest, can_be_postponed) {
    Prober prober({.stream = stream, .rate_per_s = 1e6, .stop = 2'500});
    prober.postpone(start);
    EXPECT_EQ(prober.last_sent_at(), start);
    EXPECT_EQ(prober.poll_timeout(), start);
    EXPECT_TRUE(outbox.drain(prober, start - 1).empty());
    EXPECT_EQ(decode(probe(prober, start)), (Frame{stream, 0, start}));
    EXPECT_EQ(outbox.drain(prober, start + 2'000).size(), 2u);
    EXPECT_FALSE(prober.finished(start + 2'499, 0));
    EXPECT_FALSE(prober.poll_timeout()) << "the next would be due at or after the stop";
}

TEST_F(ProberTest, probes_sent_before_a_mark_are_missing_until_answered) {
    Prober prober({.stream = stream, .rate_per_s = 1e6, .start = start, .count = 3});
    const Bytes first = probe(prober, start);
    const Bytes late = probe(prober, start + 1'000);
    EXPECT_EQ(prober.missing(), 0u);
    prober.mark();
    const Bytes after = probe(prober, start + 2'000);
    EXPECT_EQ(prober.missing(), 2u) << "excludes probes sent since";
    answer(prober, start + 2'100, after);
    EXPECT_EQ(prober.missing(), 2u);
    answer(prober, start + 2'100, first);
    answer(prober, start + 2'100, first);
    EXPECT_EQ(prober.missing(), 1u) << "counted once";
    answer(prober, start + 2'200, late);
    EXPECT_EQ(prober.missing(), 0u);
}

TEST_F(ProberTest, gives_up_an_unanswered_probe_and_accepts_its_late_answer) {
    Prober prober(ping_pong(2));
    const Bytes first = probe(prober, start);
    prober.handle_timeout(start + millisecond - 1);
    EXPECT_TRUE(outbox.drain(prober, start + millisecond - 1).empty());
    prober.handle_timeout(start + millisecond);
    const Bytes second_probe = probe(prober, start + millisecond);

    answer(prober, start + 3 * millisecond, first);
    EXPECT_TRUE(outbox.drain(prober, start + 3 * millisecond).empty());
    EXPECT_EQ(prober.poll_timeout(), start + 2 * millisecond) << "the second is still in flight";
    EXPECT_EQ(prober.response().max(), 3 * millisecond);
    EXPECT_EQ(prober.counters().lost(), 1u);
    answer(prober, start + 3 * millisecond + 1, second_probe);
    EXPECT_EQ(prober.counters().lost(), 0u);
    EXPECT_EQ(prober.counters().reordered, 0u);
    EXPECT_TRUE(prober.finished(start + 3 * millisecond + 1, second));
}

TEST_F(ProberTest, overtaken_answers_are_reordered_and_measured) {
    Prober prober(open_loop(3));
    Bytes probes[3];
    for (int i = 0; i < 3; ++i) probes[i] = probe(prober, start + i * microsecond);
    for (const int i : {2, 0, 1}) answer(prober, start + 10 * microsecond, probes[i]);
    EXPECT_EQ(prober.counters().reordered, 2u);
    EXPECT_EQ(prober.response().count(), 3u);
    EXPECT_EQ(prober.response().min(), 8 * microsecond);
    EXPECT_EQ(prober.response().max(), 10 * microsecond);
}

TEST_F(ProberTest, a_duplicate_answer_is_only_counted) {
    Prober prober(ping_pong(2));
    const Bytes first = probe(prober, start);
    answer(prober, start + 10, first);
    const Bytes next = probe(prober, start + 10);
    answer(prober, start + 20, first);
    EXPECT_TRUE(outbox.drain(prober, start + 20).empty()) << "a duplicate triggers no probe";
    EXPECT_EQ(prober.counters().duplicate, 1u);
    EXPECT_EQ(prober.response().count(), 1u);
    EXPECT_EQ(prober.counters().lost(), 1u);
}

TEST_F(ProberTest, foreign_and_corrupt_answers_are_only_counted) {
    Prober prober(ping_pong(2));
    Bytes bytes = probe(prober, start);
    answer(prober, start + 1, forged({stream + 1, 0, start}));
    answer(prober, start + 1, forged({stream, 1, start}));  // not sent yet
    EXPECT_EQ(prober.counters().foreign, 2u);
    bytes[40] ^= std::byte{1};
    answer(prober, start + 1, bytes);
    answer(prober, start + 1, {});
    EXPECT_EQ(prober.counters().corrupt, 2u);
    EXPECT_EQ(prober.counters().received, 4u);
    EXPECT_EQ(prober.counters().lost(), 1u);
    EXPECT_EQ(prober.response().count(), 0u);
    EXPECT_TRUE(outbox.drain(prober, start + 1).empty());
}

// The due time in an answer may be forged: no arithmetic may rely on it.
TEST_F(ProberTest, an_answer_with_a_forged_due_time_is_foreign) {
    Prober prober(ping_pong(1));
    probe(prober, start);
    for (const Instant due : {std::numeric_limits<Instant>::min(), start - 1, start + 1, never})
        answer(prober, start + 5, forged({stream, 0, due}));
    EXPECT_EQ(prober.counters().foreign, 4u);
    EXPECT_EQ(prober.response().count(), 0u);
    answer(prober, start + 5, forged({stream, 0, start}));
    EXPECT_EQ(prober.response().count(), 1u);
}

TEST_F(ProberTest, open_loop_measures_from_the_due_time) {
    Prober prober(open_loop(5));
    const auto sent = outbox.drain(prober, start + 3 * microsecond);
    ASSERT_EQ(sent.size(), 4u) << "numbers 0 to 3 were due while the prober was not polled";
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_EQ(decode(sent[i].bytes), (Frame{stream, i, start + static_cast<Instant>(i) * microsecond}));
    EXPECT_EQ(prober.slip().max(), 3 * microsecond);
    EXPECT_EQ(prober.slip().count(), 4u);
    EXPECT_EQ(prober.poll_timeout(), start + 4 * microsecond);
    answer(prober, start + 10 * microsecond, sent[0].bytes);
    EXPECT_EQ(prober.response().max(), 10 * microsecond) << "the stall counts";
}

TEST_F(ProberTest, lingers_for_the_last_answers_for_a_limited_time) {
    Prober prober(open_loop(2));
    probe(prober, start);
    EXPECT_FALSE(prober.finished(start + second, second)) << "one is still to be sent";
    const Bytes last = probe(prober, start + microsecond);
    EXPECT_FALSE(prober.finished(start + second, second));
    EXPECT_TRUE(prober.finished(start + second + microsecond, second));
    answer(prober, start + 2 * microsecond, last);
    EXPECT_FALSE(prober.finished(start + 2 * microsecond, second));
    EXPECT_EQ(prober.counters().lost(), 1u);
}

TEST_F(ProberTest, nothing_is_sent_at_or_after_stop) {
    for (const double rate : {0.0, 1e6}) {
        SCOPED_TRACE(rate);
        Prober prober({.stream = stream, .rate_per_s = rate, .start = start, .stop = start + 2 * microsecond});
        const Bytes first = probe(prober, start);
        answer(prober, start + 100, first);
        probe(prober, start + microsecond);
        EXPECT_TRUE(outbox.drain(prober, start + 2 * microsecond).empty());
        EXPECT_FALSE(prober.finished(start + 2 * microsecond, second));
        EXPECT_TRUE(prober.finished(start + microsecond + second, second));
    }
}

// While lingering for an answer that may never arrive, the driver must be able to sleep.
TEST_F(ProberTest, has_no_timeout_after_stop) {
    for (const double rate : {0.0, 1e6}) {
        SCOPED_TRACE(rate);
        Prober prober({.stream = stream,
                       .rate_per_s = rate,
                       .timeout = millisecond,
                       .start = start,
                       .stop = start + 2 * microsecond});
        probe(prober, start);
        const Instant late = start + 2 * millisecond;
        for (int wake_ups = 0; prober.poll_timeout() && *prober.poll_timeout() <= late; ++wake_ups) {
            ASSERT_LT(wake_ups, 3);
            prober.handle_timeout(late);
            EXPECT_TRUE(outbox.drain(prober, late).empty());
        }
        EXPECT_FALSE(prober.poll_timeout());
    }
}

TEST_F(ProberTest, service_time_is_measured_from_the_actual_send_time) {
    Prober prober(open_loop(2));
    const auto sent = outbox.drain(prober, start + 3 * microsecond);
    ASSERT_EQ(sent.size(), 2u);
    answer(prober, start + 10 * microsecond, sent[0].bytes);
    answer(prober, start + 10 * microsecond, sent[1].bytes);
    EXPECT_EQ(prober.response().max(), 10 * microsecond);
    EXPECT_EQ(prober.response().min(), 9 * microsecond);
    EXPECT_EQ(prober.service().max(), 7 * microsecond);
    EXPECT_EQ(prober.service().min(), 7 * microsecond);
    EXPECT_EQ(prober.last_sent_at(), start + 3 * microsecond);
    EXPECT_EQ(prober.last_answered_at(), start + 10 * microsecond);
}

TEST_F(ProberTest, a_very_late_reply_is_measured_except_for_its_service_time) {
    ProberOptions options = open_loop(limits::probes_in_flight_max + 1);
    options.rate_per_s = 1e9;
    Prober prober(options);
    const auto sent = outbox.drain(prober, start + millisecond);
    ASSERT_EQ(sent.size(), limits::probes_in_flight_max + 1u);
    answer(prober, start + 2 * millisecond, sent[0].bytes);
    EXPECT_EQ(prober.response().count(), 1u);
    EXPECT_EQ(prober.service().count(), 0u);
    EXPECT_EQ(prober.counters().service_unknown, 1u);
    answer(prober, start + 2 * millisecond, sent[1].bytes);
    EXPECT_EQ(prober.service().count(), 1u);
    EXPECT_EQ(prober.counters().service_unknown, 1u);
}

TEST_F(ProberTest, a_stopped_prober_waits_for_probes_in_flight) {
    Prober prober(open_loop(10));
    const auto sent = outbox.drain(prober, start);
    ASSERT_EQ(sent.size(), 1u);
    prober.stop(start + microsecond);
    prober.stop(start + second);  // a later stop changes nothing
    EXPECT_FALSE(prober.poll_timeout());
    EXPECT_TRUE(outbox.drain(prober, start + microsecond).empty());
    EXPECT_FALSE(prober.finished(start + microsecond, second));
    answer(prober, start + 2 * microsecond, sent[0].bytes);
    EXPECT_TRUE(prober.finished(start + 2 * microsecond, second));
    EXPECT_EQ(prober.counters().lost(), 0u);
    EXPECT_EQ(prober.stop(), start + microsecond);
    EXPECT_EQ(prober.unsent(), 0u);
}

TEST_F(ProberTest, overdue_probes_are_sent_shortly_after_the_end_and_counted_later) {
    ProberOptions options{.stream = stream, .rate_per_s = 1'000, .start = start, .stop = start + second};
    for (const auto& [late, sent] : {std::pair{9 * millisecond, 1'000u}, {10 * millisecond, 100u}, {second, 100u}}) {
        SCOPED_TRACE(late);
        Prober prober(options);
        EXPECT_EQ(outbox.drain(prober, start + second / 10 - 1).size(), 100u);
        const Instant resumed = options.stop + late;
        prober.handle_timeout(resumed);
        outbox.drain(prober, resumed);
        EXPECT_EQ(prober.counters().sent, sent);
        EXPECT_EQ(prober.unsent(), 1'000 - sent);
        EXPECT_FALSE(prober.poll_timeout() && *prober.poll_timeout() <= resumed);
    }
    options.warm_up = second / 2;
    EXPECT_EQ(Prober(options).unsent(), 500u) << "without those of the warm-up";
    options.count = 20;
    EXPECT_EQ(Prober(options).unsent(), 20u);
    options.stop = never;
    EXPECT_EQ(Prober(options).unsent(), 0u);
}

TEST_F(ProberTest, a_window_is_filled_and_each_answer_triggers_one_probe) {
    ProberOptions options = ping_pong(6);
    options.window = 3;
    Prober prober(options);
    std::vector<Bytes> probes;
    const auto send_all = [&](Instant now) {
        for (auto& sent : outbox.drain(prober, now)) probes.push_back(std::move(sent.bytes));
    };
    send_all(start);
    ASSERT_EQ(probes.size(), 3u);
    answer(prober, start + 10, probes[2]);  // any of them
    send_all(start + 10);
    ASSERT_EQ(probes.size(), 4u);
    EXPECT_EQ(prober.poll_timeout(), start + millisecond) << "the oldest is given up first";
    answer(prober, start + 20, probes[2]);  // a duplicate triggers no probe
    send_all(start + 20);
    ASSERT_EQ(probes.size(), 4u);
    prober.handle_timeout(start + millisecond);  // two are given up
    send_all(start + millisecond);
    ASSERT_EQ(probes.size(), 6u);
    answer(prober, start + 2 * millisecond, probes[0]);
    EXPECT_EQ(prober.response().max(), 2 * millisecond) << "late, but counted";
    EXPECT_EQ(prober.counters().lost(), 4u);
    EXPECT_EQ(prober.service().count(), 0u) << "a closed loop has no schedule";
}

TEST_F(ProberTest, a_probe_with_too_many_successors_is_given_up) {
    ProberOptions options = ping_pong(UINT64_MAX);
    options.window = 2;
    Prober prober(options);
    auto first = outbox.drain(prober, start);
    ASSERT_EQ(first.size(), 2u);
    Bytes latest = first[1].bytes;  // the first is never answered
    for (std::uint32_t i = 0; i < limits::probes_in_flight_max + 10; ++i) {
        answer(prober, start + 1, latest);
        auto next = outbox.drain(prober, start + 1);
        // Once the first is given up, two more can be sent.
        ASSERT_EQ(next.size(), i + 2 == limits::probes_in_flight_max ? 2u : 1u) << i;
        latest = std::move(next.back().bytes);
    }
}

TEST_F(ProberTest, the_warm_up_is_not_counted) {
    for (const double rate : {0.0, 1e6}) {
        SCOPED_TRACE(rate);
        Prober prober({.stream = stream, .rate_per_s = rate, .start = start, .warm_up = microsecond, .count = 1});
        const Bytes warm = probe(prober, start);
        answer(prober, start + 5, warm);
        answer(prober, start + 6, warm);
        EXPECT_EQ(prober.counters().sent, 0u);
        EXPECT_EQ(prober.counters().received, 0u);
        if (rate == 0) answer(prober, start + 7, probe(prober, start + 6));
        const Bytes measured = probe(prober, start + microsecond);
        EXPECT_EQ(prober.counters().sent, 1u);
        answer(prober, start + 3 * microsecond, measured);
        EXPECT_EQ(prober.counters().lost(), 0u);
        EXPECT_EQ(prober.response().count(), 1u);
        EXPECT_EQ(prober.response().max(), 2 * microsecond);
        EXPECT_TRUE(outbox.drain(prober, start + 3 * microsecond).empty()) << "the count applies to measured probes";
    }
}

TEST_F(ProberTest, probes_have_the_configured_size) {
    Prober prober({.sizes = Sizes::fixed(1'400), .stream = stream, .start = start, .count = 1});
    const auto sent = outbox.drain(prober, start);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].transmit.bytes, 1'400u);
    EXPECT_EQ(sent[0].transmit.segment_bytes, 1'400u);
    EXPECT_EQ(sent[0].transmit.destination.family, Family::none);
}

TEST_F(ProberTest, flows_are_used_in_turn_and_a_reply_may_arrive_on_any) {
    ProberOptions options = open_loop(7);
    options.flows = 3;
    options.destination = Address::v4(239, 1, 2, 3, 9);
    Prober prober(options);
    const auto sent = outbox.drain(prober, start + 6 * microsecond);
    ASSERT_EQ(sent.size(), 7u);
    for (std::uint32_t i = 0; i < 7; ++i) {
        EXPECT_EQ(sent[i].transmit.socket, i % 3);
        EXPECT_EQ(sent[i].transmit.destination, options.destination);
        prober.handle(start + 10 * microsecond, {{}, (i + 1) % 4, sent[i].bytes});
    }
    EXPECT_EQ(prober.counters().lost(), 0u);
    EXPECT_EQ(prober.response().count(), 7u);
}

TEST_F(ProberTest, of_the_replies_of_a_group_the_first_is_measured) {
    ProberOptions options = ping_pong(2);
    options.destination = Address::v4(239, 1, 2, 3, 9);
    Prober prober(options);
    const Bytes first = probe(prober, start);
    for (std::uint8_t member = 1; member <= 3; ++member)
        prober.handle(start + member, {Address::v4(10, 0, 0, member, 9), 0, first});
    EXPECT_EQ(prober.response().count(), 1u);
    EXPECT_EQ(prober.response().max(), 1);
    EXPECT_EQ(prober.counters().duplicate, 2u);
    EXPECT_EQ(outbox.drain(prober, start + 4).size(), 1u) << "one answered probe triggers one probe";
}

TEST_F(ProberTest, a_timestamp_separates_path_and_pickup) {
    for (const double rate : {0.0, 1e6}) {
        SCOPED_TRACE(rate);
        Prober prober({.stream = stream, .rate_per_s = rate, .start = start, .count = 1, .stamps = true});
        const Instant left = start + 3 * microsecond;  // in the open loop it was due at the start
        const Bytes bytes = probe(prober, left);
        prober.handle(left + 100, {{}, 0, bytes, left + 70});
        EXPECT_EQ(prober.path().count(), 1u);
        EXPECT_EQ(prober.path().max(), 70);
        EXPECT_EQ(prober.pickup().count(), 1u);
        EXPECT_EQ(prober.pickup().max(), 30);
        EXPECT_EQ(prober.counters().unstamped, 0u);
        prober.handle(left + 200, {{}, 0, bytes, left + 170});
        EXPECT_EQ(prober.path().count(), 1u) << "a duplicate is not measured";
        EXPECT_EQ(prober.counters().unstamped, 0u);
    }
}

TEST_F(ProberTest, a_reply_without_a_valid_timestamp_is_measured_as_a_response_only) {
    for (const Instant stamp : {never, start - 1, start + 101, std::numeric_limits<Instant>::min()}) {
        SCOPED_TRACE(stamp);
        ProberOptions options = ping_pong(1);
        options.stamps = true;
        Prober prober(options);
        prober.handle(start + 100, {{}, 0, probe(prober, start), stamp});
        EXPECT_EQ(prober.response().max(), 100);
        EXPECT_EQ(prober.path().count(), 0u);
        EXPECT_EQ(prober.pickup().count(), 0u);
        EXPECT_EQ(prober.counters().unstamped, 1u);
    }
}

TEST_F(ProberTest, timestamps_are_ignored_unless_configured) {
    Prober prober(ping_pong(1));
    prober.handle(start + 100, {{}, 0, probe(prober, start), start + 50});
    EXPECT_EQ(prober.path().count(), 0u);
    EXPECT_EQ(prober.counters().unstamped, 0u);
}

TEST_F(ProberTest, without_histograms_it_still_counts_and_verifies) {
    for (const double rate : {0.0, 1e6}) {
        SCOPED_TRACE(rate);
        Prober prober(
            {.stream = stream, .rate_per_s = rate, .start = start, .count = 2, .stamps = true, .histograms = false});
        Bytes bytes = probe(prober, start);
        prober.handle(start + 100, {{}, 0, bytes, start + 50});
        bytes[40] ^= std::byte{1};
        answer(prober, start + 100, bytes);
        EXPECT_EQ(prober.counters().received, 2u);
        EXPECT_EQ(prober.counters().corrupt, 1u);
        EXPECT_EQ(prober.counters().lost(), 0u);
        EXPECT_EQ(outbox.drain(prober, start + microsecond).size(), 1u) << "the loop continues";
        for (const Histogram* histogram :
             {&prober.response(), &prober.service(), &prober.slip(), &prober.path(), &prober.pickup()})
            EXPECT_EQ(histogram->count(), 0u);
    }
}

}  // namespace
}  // namespace ringpost::traffic
