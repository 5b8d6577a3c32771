// intact() against decode(), which verifies frames one by one by their CRC.

#include "codec/traffic/train_checker.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

constexpr std::size_t train_frames = 8;  // the fewest that are checked as a train

/// Frames of one stream with consecutive sequences, each with a due time of its own.
Bytes train_of(std::size_t frame_bytes, std::size_t count, const Frame& first, Random& random) {
    Bytes train(frame_bytes * count);
    const FrameWriter writer(frame_bytes);
    writer.prepare(train, count);
    for (std::size_t i = 0; i < count; ++i)
        writer.write(&train[i * frame_bytes],
                     {first.stream, first.sequence + i, first.due + static_cast<Instant>(random() % 100'000'000)}, 1);
    return train;
}

/// What intact() must return once the size is expected.
std::size_t intact_by_decode(std::span<const std::byte> train, std::size_t frame_bytes) {
    std::size_t count = 0;
    for (std::optional<Frame> first; (count + 1) * frame_bytes <= train.size(); ++count) {
        const auto frame = decode(train.subspan(count * frame_bytes, frame_bytes));
        if (!first) first = frame;
        if (!frame || frame->stream != first->stream || frame->sequence != first->sequence + count) return count;
    }
    return count;
}

TEST(TrainChecker, agrees_with_decode_at_every_size_and_alignment) {
    Random random(1);
    TrainChecker checker;
    for (std::size_t size = frame_bytes_min; size <= 4'096; ++size) {
        const Frame first{static_cast<std::uint32_t>(random()), random() % (sequence_end - train_frames),
                          static_cast<Instant>(random() >> 2)};
        const Bytes train = train_of(size, train_frames, first, random);
        ASSERT_EQ(intact_by_decode(train, size), train_frames) << size;
        Bytes shifted(size % 64 + train.size());
        std::ranges::copy(train, shifted.begin() + static_cast<std::ptrdiff_t>(size % 64));
        const auto received = std::span(shifted).subspan(size % 64);
        checker.intact(received, size);
        ASSERT_EQ(checker.intact(received, size), train_frames) << size;
        shifted[size % 64 + random() % train.size()] ^= static_cast<std::byte>(1u << random() % 8);
        ASSERT_EQ(checker.intact(received, size), intact_by_decode(received, size)) << size;
    }
}

TEST(TrainChecker, any_flipped_bit_is_detected) {
    Random random(2);
    for (const std::size_t size : {24, 25, 64, 200}) {
        TrainChecker checker;
        Bytes train = train_of(size, train_frames, {1, 250, 2}, random);
        checker.intact(train, size);
        for (std::size_t bit = 0; bit < train.size() * 8; ++bit) {
            train[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
            ASSERT_EQ(checker.intact(train, size), bit / 8 / size) << "bit " << bit << " of frames of " << size;
            train[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        }
        EXPECT_EQ(checker.intact(train, size), train_frames);
    }
}

TEST(TrainChecker, a_run_ends_where_stream_or_sequence_change) {
    Random random(3);
    constexpr std::size_t size = 100, count = 40;
    TrainChecker checker;
    checker.intact(train_of(size, count, {}, random), size);
    for (std::size_t at = 1; at < count; ++at)
        for (const Frame& next : {Frame{5, 1'000 + at + 1, 7}, Frame{6, 1'000 + at, 7}, Frame{5, 1'000 + at - 1, 7}}) {
            Bytes train = train_of(size, at, {5, 1'000, 7}, random);
            const Bytes rest = train_of(size, count - at, next, random);
            train.insert(train.end(), rest.begin(), rest.end());
            ASSERT_EQ(checker.intact(train, size), at);
        }
}

TEST(TrainChecker, long_trains_and_a_shorter_last_frame) {
    Random random(4);
    for (const std::size_t size : {24, 64, 512, 1'400, 7'000}) {
        const std::size_t count = std::min<std::size_t>(limits::datagram_bytes_max / size, 1'000);
        TrainChecker checker;
        Bytes train = train_of(size, count, {1, sequence_end - count - 1, -1}, random);
        checker.intact(train, size);
        EXPECT_EQ(checker.intact(train, size), count) << size;
        train.resize(train.size() - 1);
        EXPECT_EQ(checker.intact(train, size), count - 1) << size;
        train[(count - 2) * size + size - 1] ^= std::byte{1};
        EXPECT_EQ(checker.intact(train, size), count - 2) << size;
    }
}

TEST(TrainChecker, leaves_to_decode_what_it_does_not_expect) {
    Random random(5);
    TrainChecker checker;
    const Bytes train = train_of(64, train_frames, {1, 2, 3}, random);
    EXPECT_EQ(checker.intact(train, 64), 0u) << "the first train of a size";
    EXPECT_EQ(checker.intact(train, 64), train_frames);
    EXPECT_EQ(checker.intact(std::span(train).first(64 * (train_frames - 1)), 64), 0u) << "a short train";
    EXPECT_EQ(checker.intact(train, 23), 0u) << "shorter than a header";
    EXPECT_EQ(checker.intact(train_of(64, train_frames, {1, sequence_end - 3, 3}, random), 64), 0u)
        << "beyond the last";
    EXPECT_EQ(checker.intact({}, 64), 0u);

    Bytes other_fill(64 * train_frames, std::byte{0x5a});
    for (std::size_t i = 0; i < train_frames; ++i) encode({1, i, 2}, std::span(other_fill).subspan(i * 64, 64));
    EXPECT_EQ(intact_by_decode(other_fill, 64), train_frames);
    EXPECT_EQ(checker.intact(other_fill, 64), 0u);
}

TEST(TrainChecker, sizes_that_alternate_do_not_replace_the_expected_one) {
    Random random(6);
    TrainChecker checker;
    const Bytes expected = train_of(64, train_frames, {1, 2, 3}, random),
                other = train_of(80, train_frames, {1, 2, 3}, random);
    checker.intact(expected, 64);
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(checker.intact(expected, 64), train_frames);
        EXPECT_EQ(checker.intact(other, 80), 0u);
    }
}

}  // namespace
}  // namespace ringpost::traffic
