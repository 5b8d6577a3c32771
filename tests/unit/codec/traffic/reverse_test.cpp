#include "codec/traffic/reverse.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "codec/base/bytes.hpp"
#include "codec/traffic/frame.hpp"
#include "codec/traffic/sink.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

constexpr std::uint64_t frame_bits = 8 * (28 + 100);  // with IPv4 and UDP headers

Address peer_at(std::uint16_t port) { return Address::v4(10, 0, 0, 1, port); }

class Reverse : public testing::Test {
  protected:
    static ReverseRequest request(std::uint64_t rate_per_s, Duration duration) {
        return {.rate_per_ks = rate_per_s * 1'000,
                .frame_bytes = 100,
                .duration_ns = static_cast<std::uint64_t>(duration),
                .wanted = 1};
    }
    ReverseAnswer ask(const Address& from, const ReverseRequest& what, std::uint32_t stream = 5) {
        const Control control = to_control(stream, 9, what);
        const auto answer = reverse_answer_of(sender.on_request(now, {from, 3, {}}, control, what));
        EXPECT_TRUE(answer);
        return answer.value_or(ReverseAnswer{});
    }
    ReverseAnswer prove_and_ask(const Address& from, ReverseRequest what, std::uint32_t stream = 5) {
        ReverseRequest first = what;
        first.token = 0;
        what.token = ask(from, first, stream).token;
        token = what.token;
        return ask(from, what, stream);
    }
    static ReverseState state(const ReverseAnswer& answer) { return static_cast<ReverseState>(answer.state); }

    /// Sends everything that is due until `end`.
    std::uint64_t frames_until(Instant end) {
        std::uint64_t frames = 0;
        for (Bytes out(limits::datagram_bytes_max); now < end; now += millisecond)
            while (const auto transmit = sender.poll_transmit(now, out)) {
                EXPECT_EQ(transmit->segment_bytes, 100u);
                EXPECT_EQ(transmit->socket, 3u);
                for (std::size_t at = 0; at < transmit->bytes; at += 100, ++frames) {
                    const auto frame = decode(std::span(out).subspan(at, 100));
                    EXPECT_TRUE(frame && (frame->stream & answer_stream_bit) != 0 && frame->due <= now);
                }
            }
        return frames;
    }

    Instant now = 100 * second;
    std::uint64_t token = 0;
    ReverseSender sender{{.key = SipKey{1, 2}, .bits_per_s_max = 1'000 * frame_bits, .train_segments = 8}};
};

TEST_F(Reverse, nothing_is_sent_to_an_address_that_is_not_proven) {
    EXPECT_EQ(state(ask(peer_at(1), request(100, second))), ReverseState::prove);
    EXPECT_EQ(frames_until(now + second), 0u);
    ReverseRequest guessed = request(100, second);
    for (guessed.token = 1; guessed.token < 1'000; ++guessed.token)
        EXPECT_EQ(state(ask(peer_at(1), guessed)), ReverseState::prove);
    EXPECT_EQ(frames_until(now + second), 0u);
    EXPECT_EQ(sender.counters().started, 0u);
}

TEST_F(Reverse, a_token_is_that_of_its_address_and_of_its_time) {
    ReverseRequest what = request(100, second);
    what.token = ask(peer_at(1), what).token;
    EXPECT_EQ(state(ask(peer_at(2), what)), ReverseState::prove);
    now += 25 * second;
    EXPECT_EQ(state(ask(peer_at(1), what)), ReverseState::prove);
    EXPECT_EQ(state(prove_and_ask(peer_at(1), what)), ReverseState::sending);
}

TEST_F(Reverse, no_more_than_asked) {
    const ReverseAnswer answer = prove_and_ask(peer_at(1), request(100, 900 * millisecond));
    EXPECT_EQ(state(answer), ReverseState::sending);
    EXPECT_EQ(answer.rate_per_ks, 100'000u);
    EXPECT_EQ(frames_until(now + 10 * second), 90u);
    EXPECT_FALSE(sender.poll_timeout());
}

TEST_F(Reverse, no_more_than_allowed) {
    const ReverseAnswer answer = prove_and_ask(peer_at(1), request(0, 900 * millisecond));
    EXPECT_EQ(answer.rate_per_ks, 1'000'000u) << "as many as the sink allows";
    EXPECT_EQ(frames_until(now + 10 * second), 900u);
    EXPECT_EQ(prove_and_ask(peer_at(1), request(5'000, 900 * millisecond), 6).rate_per_ks, 1'000'000u);
}

TEST_F(Reverse, all_together_share_the_limit) {
    EXPECT_EQ(prove_and_ask(peer_at(1), request(400, second)).rate_per_ks, 400'000u);
    EXPECT_EQ(prove_and_ask(peer_at(2), request(900, second)).rate_per_ks, 600'000u);
    EXPECT_EQ(state(prove_and_ask(peer_at(3), request(1, second))), ReverseState::busy);
    EXPECT_LE(frames_until(now + second), 1'001u);
    EXPECT_EQ(sender.counters().refused, 1u);
    EXPECT_EQ(state(prove_and_ask(peer_at(3), request(1, second))), ReverseState::sending) << "the others have ended";
}

TEST_F(Reverse, ends_when_nobody_renews_it) {
    prove_and_ask(peer_at(1), request(100, 10 * second));
    EXPECT_LE(frames_until(now + 10 * second), 101u);
    EXPECT_EQ(sender.counters().expired, 1u);
}

TEST_F(Reverse, goes_on_while_it_is_renewed) {
    ReverseRequest what = request(100, 3 * second);
    prove_and_ask(peer_at(1), what);
    std::uint64_t frames = 0;
    for (int i = 0; i < 10; ++i) {
        frames += frames_until(now + 500 * millisecond);
        what.token = token;
        ask(peer_at(1), what);
    }
    EXPECT_EQ(frames, 300u);
}

TEST_F(Reverse, a_stop_reports_what_was_sent) {
    ReverseRequest what = request(100, 10 * second);
    prove_and_ask(peer_at(1), what);
    const std::uint64_t frames = frames_until(now + 500 * millisecond);
    what.token = token;
    what.wanted = 0;
    for (int i = 0; i < 2; ++i) {
        const ReverseAnswer answer = ask(peer_at(1), what);
        EXPECT_EQ(state(answer), ReverseState::ended);
        EXPECT_EQ(answer.sent, frames);
    }
    EXPECT_EQ(frames_until(now + second), 0u);
}

TEST_F(Reverse, places_are_bounded) {
    for (std::uint16_t i = 0; i < limits::reverse_sendings_max; ++i)
        EXPECT_EQ(state(prove_and_ask(peer_at(i), request(1, second))), ReverseState::sending) << i;
    EXPECT_EQ(state(prove_and_ask(peer_at(99), request(1, second))), ReverseState::busy);
}

TEST_F(Reverse, requests_out_of_range_are_none) {
    const auto valid = [](const ReverseRequest& what, std::uint32_t stream = 5) {
        return reverse_request_of(to_control(stream, 9, what)).has_value();
    };
    const ReverseRequest good = request(1, second);
    EXPECT_TRUE(valid(good));
    EXPECT_FALSE(valid(good, answer_stream_bit));
    const auto with = [&](std::uint64_t ReverseRequest::* member, std::uint64_t value) {
        ReverseRequest out = good;
        out.*member = value;
        return valid(out);
    };
    EXPECT_FALSE(with(&ReverseRequest::frame_bytes, frame_bytes_min - 1));
    EXPECT_FALSE(with(&ReverseRequest::frame_bytes, limits::datagram_bytes_max + 1));
    EXPECT_FALSE(with(&ReverseRequest::duration_ns, limits::reverse_ns_max + 1));
    EXPECT_FALSE(with(&ReverseRequest::rate_per_ks, UINT64_MAX));
    EXPECT_FALSE(with(&ReverseRequest::wanted, 2));
    EXPECT_FALSE(reverse_answer_of(to_control(5, 9, good)));
    EXPECT_FALSE(reverse_answer_of(to_control(to_control(5, 9, good), {.state = 5})));
}

TEST(ReverseOff, is_the_default_of_a_sink) {
    Sink sink({.key = SipKey{1, 2}, .answers_control = true});
    Bytes bytes(control_bytes), out(limits::datagram_bytes_max);
    encode_control(to_control(5, 9, {.frame_bytes = 100, .duration_ns = 1, .wanted = 1}), bytes);
    sink.handle(second, {peer_at(1), 0, bytes});
    const auto transmit = sink.poll_transmit(second, out);
    ASSERT_TRUE(transmit);
    const auto control = decode_control(std::span(out).first(transmit->bytes));
    ASSERT_TRUE(control);
    const auto answer = reverse_answer_of(*control);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->state, static_cast<std::uint64_t>(ReverseState::off));
    EXPECT_EQ(answer->token, 0u);
}

}  // namespace
}  // namespace ringpost::traffic
