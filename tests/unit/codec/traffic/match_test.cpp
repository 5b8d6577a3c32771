#include <gtest/gtest.h>

#include <string>

#include "tests/unit/codec/traffic/match_model.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

constexpr SipKey sip_key{1, 2};
MatchRule rule(std::string_view text) {
    const auto parsed = MatchRule::parse(text);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(MatchRule{});
}

TEST(ProbeMatch, rules_have_one_spelling) {
    EXPECT_EQ(rule("echo").kind, MatchRule::Kind::echo);
    EXPECT_EQ(rule("order").kind, MatchRule::Kind::order);
    EXPECT_EQ(rule("0:2"), (MatchRule{MatchRule::Kind::bytes, 2, 0, 0}));
    EXPECT_EQ(rule("12:8"), (MatchRule{MatchRule::Kind::bytes, 8, 12, 12}));
    EXPECT_EQ(rule("40:8@24"), (MatchRule{MatchRule::Kind::bytes, 8, 40, 24}));
    EXPECT_EQ(rule("65506:1@0").probe_bytes_min(), 65'507u);
    for (const char* text : {"",          "Echo",      "orders",        "0",     ":",       "0:",      ":2",
                             "0:0",       "0:9",       "00:2",          "01:2",  "0:02",    "-1:2",    "0:2@",
                             "0:2@x",     "0:2@-1",    "@0:2",          "0@2:1", "0:2@1@2", "65507:1", "65506:2",
                             "0:2@65506", "0:2@65507", "99999999999:1", " 0:2",  "0:2 ",    "0:2:3",   "0x0:2"})
        EXPECT_FALSE(MatchRule::parse(text)) << text;
}

TEST(ProbeMatch, bytes_of_the_probe_return_at_another_offset) {
    Matcher matcher(rule("1:2@0"), sip_key, 8);
    matcher.sent(0, 100, 101, bytes_of("-ab-"));
    matcher.sent(1, 200, 202, bytes_of("-cd"));
    EXPECT_EQ(matcher.waiting(), 2u);
    EXPECT_EQ(matcher.answer(bytes_of("cd, here")), (Reply{Reply::Kind::answer, 1, 200, 202}));
    EXPECT_EQ(matcher.answer(bytes_of("ab")), (Reply{Reply::Kind::answer, 0, 100, 101}));
    EXPECT_EQ(matcher.answer(bytes_of("cd again")), (Reply{Reply::Kind::duplicate, 1, 200, 202}));
    EXPECT_EQ(matcher.answer(bytes_of("xy")).kind, Reply::Kind::unknown);
    EXPECT_EQ(matcher.answer(bytes_of("a")).kind, Reply::Kind::unknown) << "too short";
    EXPECT_EQ(matcher.answer({}).kind, Reply::Kind::unknown);
    EXPECT_EQ(matcher.waiting(), 0u);
    EXPECT_EQ(matcher.counters().given_up, 0u);
}

TEST(ProbeMatch, an_echo_covers_every_byte) {
    Matcher matcher(rule("echo"), sip_key, 8);
    const Bytes first = bytes_of("a probe of more than eight bytes"), empty;
    matcher.sent(0, 1, 1, first);
    matcher.sent(1, 2, 2, empty);
    for (std::size_t bit = 0; bit < first.size() * 8; ++bit) {
        Bytes changed = first;
        changed[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        EXPECT_EQ(matcher.answer(changed).kind, Reply::Kind::unknown);
    }
    EXPECT_EQ(matcher.answer(std::span(first).first(31)).kind, Reply::Kind::unknown);
    EXPECT_EQ(matcher.answer(first).sequence, 0u);
    EXPECT_EQ(matcher.answer(empty), (Reply{Reply::Kind::answer, 1, 2, 2}));
}

TEST(ProbeMatch, by_order_a_lost_probe_is_given_up_and_the_next_is_answered) {
    Matcher matcher(rule("order"), sip_key, 8);
    for (std::uint64_t i = 0; i < 4; ++i) matcher.sent(i, static_cast<Instant>(i), static_cast<Instant>(10 + i), {});
    EXPECT_EQ(matcher.answer({}), (Reply{Reply::Kind::answer, 0, 0, 10}));
    matcher.expire(11);
    EXPECT_EQ(matcher.waiting(), 3u) << "a probe sent exactly then is still waiting";
    matcher.expire(12);
    EXPECT_EQ(matcher.answer({}), (Reply{Reply::Kind::answer, 2, 2, 12}));
    EXPECT_EQ(matcher.answer(bytes_of("anything")).sequence, 3u);
    EXPECT_EQ(matcher.answer({}).kind, Reply::Kind::surplus);
    EXPECT_EQ(matcher.counters().given_up, 1u);
}

TEST(ProbeMatch, a_late_reply_is_recognised_once) {
    Matcher matcher(rule("0:1"), sip_key, 8);
    matcher.sent(0, 5, 6, bytes_of("a"));
    matcher.expire(7);
    EXPECT_EQ(matcher.answer(bytes_of("a")), (Reply{Reply::Kind::late, 0, 5, 6}));
    EXPECT_EQ(matcher.answer(bytes_of("a")).kind, Reply::Kind::duplicate);
    EXPECT_EQ(matcher.counters().given_up, 1u);
    EXPECT_EQ(matcher.waiting(), 0u);
}

// Like a 16-bit id at a high rate.
TEST(ProbeMatch, reused_bytes_give_up_the_older_probe) {
    Matcher matcher(rule("0:1"), sip_key, 8);
    matcher.sent(0, 5, 5, bytes_of("a"));
    matcher.sent(1, 6, 6, bytes_of("a"));
    EXPECT_EQ(matcher.counters().reused, 1u);
    EXPECT_EQ(matcher.answer(bytes_of("a")), (Reply{Reply::Kind::answer, 1, 6, 6, true})) << "perhaps to the older";
    EXPECT_EQ(matcher.counters().ambiguous, 1u);
    matcher.sent(2, 7, 7, bytes_of("a"));
    EXPECT_EQ(matcher.counters().reused, 2u) << "that reply may have been the older one's, and probe 1 still waits";
    EXPECT_EQ(matcher.counters().given_up, 1u);
    EXPECT_EQ(matcher.waiting(), 1u);
}

TEST(ProbeMatch, a_reply_is_ambiguous_while_an_older_probe_with_its_bytes_is_unsettled) {
    Matcher matcher(rule("0:1"), sip_key, 8, 10);
    matcher.sent(0, 0, 0, bytes_of("a"));
    matcher.expire(1);
    matcher.sent(1, 5, 5, bytes_of("a"));
    EXPECT_EQ(matcher.counters().reused, 0u) << "the older one was given up before";
    EXPECT_EQ(matcher.answer(bytes_of("a")), (Reply{Reply::Kind::answer, 1, 5, 5, true}));
    EXPECT_EQ(matcher.answer(bytes_of("a")), (Reply{Reply::Kind::duplicate, 1, 5, 5})) << "counted once";
    matcher.sent(2, 15, 15, bytes_of("a"));
    EXPECT_EQ(matcher.counters().reused, 0u) << "probe 1 would have been given up by now";
    EXPECT_EQ(matcher.answer(bytes_of("a")), (Reply{Reply::Kind::answer, 2, 15, 15, true})) << "perhaps to probe 1";
    matcher.sent(3, 55, 55, bytes_of("a"));
    EXPECT_EQ(matcher.answer(bytes_of("a")), (Reply{Reply::Kind::answer, 3, 55, 55})) << "four times as long ago";
    matcher.sent(4, 56, 56, bytes_of("a"));
    EXPECT_EQ(matcher.answer(bytes_of("a")), (Reply{Reply::Kind::answer, 4, 56, 56})) << "the older one was answered";
    EXPECT_EQ(matcher.counters().ambiguous, 2u);
    EXPECT_EQ(matcher.counters().reused, 0u);
}

TEST(ProbeMatch, a_late_reply_settles_its_probe) {
    Matcher matcher(rule("0:1"), sip_key, 8, 10);
    matcher.sent(0, 7, 7, bytes_of("b"));
    matcher.expire(8);
    EXPECT_EQ(matcher.answer(bytes_of("b")), (Reply{Reply::Kind::late, 0, 7, 7}));
    matcher.sent(1, 9, 9, bytes_of("b"));
    EXPECT_EQ(matcher.answer(bytes_of("b")), (Reply{Reply::Kind::answer, 1, 9, 9}));
    EXPECT_EQ(matcher.counters().ambiguous, 0u);
}

TEST(ProbeMatch, probes_overwritten_in_the_ring_are_given_up_and_unknown) {
    Matcher matcher(rule("0:1"), sip_key, 4);
    for (std::uint64_t i = 0; i < 6; ++i) matcher.sent(i, 0, 0, bytes_of(std::string(1, static_cast<char>('a' + i))));
    EXPECT_EQ(matcher.counters().overrun, 2u);
    EXPECT_EQ(matcher.answer(bytes_of("b")).kind, Reply::Kind::unknown);
    EXPECT_EQ(matcher.answer(bytes_of("c")).kind, Reply::Kind::answer);
    EXPECT_EQ(matcher.waiting(), 3u);
}

TEST(ProbeMatch, agrees_with_a_naive_model) {
    for (const char* text : {"0:1", "1:2@0", "echo", "order"})
        for (const std::uint32_t capacity : {1u, 2u, 16u, 64u}) {
            const MatchRule by = rule(text);
            Random random(capacity);
            Matcher matcher(by, sip_key, capacity, 40);
            MatchModel model(by, capacity, 40);
            Instant now = 0;
            std::uint64_t sequence = 0;
            // Few distinct bytes, so that they repeat, often while a probe is waiting; with fewer of them, repeats are
            // more frequent.
            const std::uint64_t alphabet = 1 + random() % 100;
            const auto some_bytes = [&] {
                Bytes bytes(3, std::byte{7});
                bytes[0] = static_cast<std::byte>(random() % alphabet);
                bytes[1] = static_cast<std::byte>(random() % alphabet);
                if (text[0] == '1') bytes[2] = std::byte{static_cast<unsigned char>(bytes[0])};
                return bytes;
            };
            for (int step = 0; step < 2'000; ++step) {
                SCOPED_TRACE(std::string(text) + ", capacity " + std::to_string(capacity) + ", step " +
                             std::to_string(step));
                now += static_cast<Instant>(random() % 3);
                switch (random() % 8) {
                    case 0: {
                        const Instant before = now - static_cast<Instant>(random() % 60);
                        matcher.expire(before);
                        model.expire(before);
                        break;
                    }
                    case 1:
                    case 2:
                    case 3: {
                        const Bytes reply = random() % 16 == 0 ? Bytes(random() % 3) : some_bytes();
                        ASSERT_EQ(matcher.answer(reply), model.answer(reply));
                        break;
                    }
                    default: {
                        const Bytes probe = some_bytes();
                        const Instant due = now - static_cast<Instant>(random() % 5);
                        matcher.sent(sequence++, due, now, probe);
                        model.sent(due, now, probe);
                    }
                }
                ASSERT_EQ(matcher.waiting(), model.waiting());
                ASSERT_EQ(matcher.counters().given_up, model.counts.given_up);
                ASSERT_EQ(matcher.counters().reused, model.counts.reused);
                ASSERT_EQ(matcher.counters().overrun, model.counts.overrun);
                ASSERT_EQ(matcher.counters().ambiguous, model.counts.ambiguous);
            }
        }
}

}  // namespace
}  // namespace ringpost::traffic
