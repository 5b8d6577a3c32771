#include "codec/gtudp/context.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost::gtudp {
namespace {

const Address peer_address = Address::v4(10, 0, 0, 2, 4'000);

Options options_of(std::uint64_t seed) {
    Options options;
    options.peers_max = 1;
    options.seed = seed;
    return options;
}

struct Range {
    Duration least = never, most = 0;
};

Range range_of(Context& context, const Peer& peer, unsigned backoffs, int patience) {
    Range range;
    for (int i = 0; i < 2'000; ++i) {
        const Duration interval = context.interval(peer, backoffs, patience);
        range.least = std::min(range.least, interval);
        range.most = std::max(range.most, interval);
    }
    return range;
}

// The jitter covers the eighth above `least` and no more.
void expect_jittered(const Range& range, Duration least) {
    EXPECT_GE(range.least, least);
    EXPECT_LE(range.least, least + least / 128);
    EXPECT_LE(range.most, least + least / 8);
    EXPECT_GE(range.most, least + least / 8 - least / 128);
}

TEST(GtudpContext, intervals_to_an_unknown_peer_start_with_the_initial_timeout) {
    Context context(options_of(1));
    const Peer peer;
    for (const int patience : {1, 2}) {
        expect_jittered(range_of(context, peer, 0, patience), 500 * millisecond);
        expect_jittered(range_of(context, peer, 1, patience), second);
        expect_jittered(range_of(context, peer, 2, patience), 2 * second);
    }
    for (const unsigned backoffs : {3u, 4u, 15u}) expect_jittered(range_of(context, peer, backoffs, 1), 3 * second);
    expect_jittered(range_of(context, peer, 3, 2), 4 * second);
    for (const unsigned backoffs : {4u, 5u, 15u}) expect_jittered(range_of(context, peer, backoffs, 2), 6 * second);
}

TEST(GtudpContext, intervals_to_a_known_peer_follow_the_round_trip) {
    Context context(options_of(2));
    Peer peer;
    peer.rtt.sample(20 * millisecond, 0);  // a timeout of 60 ms
    expect_jittered(range_of(context, peer, 0, 1), 60 * millisecond);
    expect_jittered(range_of(context, peer, 0, 2), 120 * millisecond);
    expect_jittered(range_of(context, peer, 2, 2), 480 * millisecond);
    expect_jittered(range_of(context, peer, 5, 2), 3'840 * millisecond);
    expect_jittered(range_of(context, peer, 6, 2), 6 * second);
    Peer near, far;
    near.rtt.sample(microsecond, 0);
    expect_jittered(range_of(context, near, 0, 1), 10 * millisecond);
    expect_jittered(range_of(context, near, 1, 1), 20 * millisecond);
    far.rtt.sample(5 * second, 0);
    expect_jittered(range_of(context, far, 0, 1), 3 * second);
    expect_jittered(range_of(context, far, 1, 1), 3 * second);
}

TEST(GtudpContext, an_initial_timeout_above_the_maximum_is_kept_and_not_doubled) {
    Options options = options_of(3);
    options.resending.timeout_initial = 5 * second;
    Context context(options);
    for (const unsigned backoffs : {0u, 1u, 9u}) expect_jittered(range_of(context, Peer{}, backoffs, 1), 5 * second);
}

TEST(GtudpContext, a_fixed_interval_is_exact) {
    Options options = options_of(4);
    options.resending.fixed_interval = 500 * millisecond;
    Context context(options);
    Peer peer;
    peer.rtt.sample(2 * second, 0);
    for (const unsigned backoffs : {0u, 1u, 15u}) {
        for (const int patience : {1, 2}) {
            const Range range = range_of(context, peer, backoffs, patience);
            EXPECT_EQ(range.least, 500 * millisecond);
            EXPECT_EQ(range.most, 500 * millisecond);
        }
    }
}

TEST(GtudpContext, same_seed_gives_the_same_jitter) {
    Context one(options_of(5)), same(options_of(5)), other(options_of(6));
    bool differs = false;
    for (int i = 0; i < 10; ++i) {
        const std::uint64_t number = one.random();
        EXPECT_EQ(number, same.random());
        differs |= number != other.random();
    }
    EXPECT_TRUE(differs);
}

TEST(GtudpStamp, measures_time_in_microseconds_across_its_wrap) {
    constexpr Instant wrap = Instant{1} << 42;
    for (const Instant from : {Instant{0}, second, wrap - 10 * millisecond, wrap - 1, 5 * wrap + second}) {
        for (const Duration apart : {Duration{0}, 1'024 * microsecond, 20 * millisecond, 3'600 * second}) {
            const Duration reported = since(stamp_of(from), from + apart);
            EXPECT_NEAR(static_cast<double>(reported), static_cast<double>(apart), 1'024) << from << " " << apart;
        }
    }
}

TEST(GtudpBackoffs, increases_only_if_nothing_was_received_since_the_last_send) {
    constexpr Instant sent = 100 * second, now = 101 * second;
    constexpr Instant not_ever = std::numeric_limits<Instant>::min();
    EXPECT_EQ(backoffs_of_resend(0, not_ever, stamp_of(sent), now), 1u);
    EXPECT_EQ(backoffs_of_resend(3, sent - 10 * microsecond, stamp_of(sent), now), 4u);
    EXPECT_EQ(backoffs_of_resend(3, sent + 10 * microsecond, stamp_of(sent), now), 3u);
    EXPECT_EQ(backoffs_of_resend(0, now, stamp_of(sent), now), 0u);
    EXPECT_EQ(backoffs_of_resend(15, not_ever, stamp_of(sent), now), 15u) << "the maximum of four bits";
}

// ---- trains ---------------------------------------------------------------------------------------

TEST(GtudpTrainWriter, equal_frames_and_a_shorter_one_which_ends_the_train) {
    Bytes out(1'000);
    TrainWriter train(out, peer_address, LocalPath{});
    EXPECT_TRUE(train.empty());
    EXPECT_EQ(train.add(10), out.data());
    EXPECT_EQ(train.add(11), nullptr) << "longer than the first";
    EXPECT_EQ(train.add(10), out.data() + 10);
    EXPECT_EQ(train.add(9), out.data() + 20);
    EXPECT_EQ(train.add(9), nullptr);
    EXPECT_EQ(train.add(1), nullptr);
    EXPECT_FALSE(train.empty());
    const Transmit transmit = train.transmit();
    EXPECT_EQ(transmit.destination, peer_address);
    EXPECT_EQ(transmit.bytes, 29u);
    EXPECT_EQ(transmit.segment_bytes, 10u);
}

TEST(GtudpTrainWriter, holds_as_many_as_a_train_may) {
    Bytes out(limits::datagram_bytes_max);
    TrainWriter train(out, peer_address, LocalPath{});
    for (std::size_t i = 0; i < limits::train_segments_max; ++i) ASSERT_EQ(train.add(5), out.data() + 5 * i);
    EXPECT_EQ(train.add(5), nullptr);
    EXPECT_EQ(train.add(4), nullptr);
    EXPECT_EQ(train.transmit().bytes, 5 * limits::train_segments_max);
}

TEST(GtudpTrainWriter, ends_at_the_end_of_its_memory) {
    Bytes out(100);
    TrainWriter train(out, peer_address, LocalPath{});
    EXPECT_NE(train.add(60), nullptr);
    EXPECT_EQ(train.add(60), nullptr);
    EXPECT_EQ(train.add(41), nullptr);
    EXPECT_NE(train.add(40), nullptr) << "a shorter one fits exactly";
    EXPECT_EQ(train.transmit().bytes, 100u);
    EXPECT_EQ(train.transmit().segment_bytes, 60u);
}

}  // namespace
}  // namespace ringpost::gtudp
