#include "codec/traffic/sequence_window.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "codec/base/limits.hpp"
#include "codec/traffic/frame.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

// How far back late datagrams and duplicates are distinguished: the window without the word being reused.
constexpr std::uint64_t reach = limits::load_window_sequences - 64;

// Stores every sequence ever received.
class Model {
  public:
    Arrival record(std::uint64_t sequence) {
        const std::uint64_t newest_end = end();
        if (newest_end > sequence && newest_end - sequence > reach) return Arrival::duplicate;
        if (!seen_.insert(sequence).second) return Arrival::duplicate;
        ++distinct;
        return sequence >= newest_end ? Arrival::in_order : Arrival::reordered;
    }
    std::uint64_t end() const { return seen_.empty() ? 0 : *seen_.rbegin() + 1; }

    std::uint64_t distinct = 0;

  private:
    std::set<std::uint64_t> seen_;
};

/// A window in memory that held something else before.
struct OwnedWindow : SequenceWindow {
    OwnedWindow() : OwnedWindow(std::vector<std::uint64_t>(limits::load_window_sequences / 64, ~0ull)) {}

  private:
    explicit OwnedWindow(std::vector<std::uint64_t> memory) : SequenceWindow(memory), words(std::move(memory)) {}

    std::vector<std::uint64_t> words;
};

struct Pair {
    OwnedWindow window;
    Model model;

    /// Whether the two agree.
    [[nodiscard]] bool record(std::uint64_t sequence) {
        return window.record(sequence) == model.record(sequence) && window.end() == model.end() &&
               window.distinct() == model.distinct && window.missing() == model.end() - model.distinct;
    }
};

TEST(SequenceWindow, in_order) {
    const auto pair = std::make_unique<Pair>();
    for (std::uint64_t i = 0; i < 3 * limits::load_window_sequences; ++i)
        ASSERT_TRUE(pair->record(i)) << "sequence " << i;
    EXPECT_EQ(pair->window.missing(), 0u);
}

TEST(SequenceWindow, gaps_are_missing_until_filled_once) {
    OwnedWindow window;
    EXPECT_EQ(window.record(0), Arrival::in_order);
    EXPECT_EQ(window.record(5), Arrival::in_order);
    EXPECT_EQ(window.missing(), 4u);
    EXPECT_EQ(window.record(3), Arrival::reordered);
    EXPECT_EQ(window.record(3), Arrival::duplicate);
    EXPECT_EQ(window.record(5), Arrival::duplicate);
    EXPECT_EQ(window.missing(), 3u);
    EXPECT_EQ(window.end(), 6u);
}

TEST(SequenceWindow, a_sequence_too_old_to_decide_is_a_duplicate) {
    for (const std::uint64_t newest : {reach + 64, reach + 101, std::uint64_t{1} << 40}) {
        OwnedWindow window;
        window.record(newest);
        EXPECT_EQ(window.record(newest + 1 - reach), Arrival::reordered);
        EXPECT_EQ(window.record(newest - reach), Arrival::duplicate);
        EXPECT_EQ(window.record(0), Arrival::duplicate);
        EXPECT_EQ(window.distinct(), 2u);
    }
}

TEST(SequenceWindow, jumps_around_the_window_size_leave_no_old_marks) {
    for (std::uint64_t start : {0, 1, 63, 64, 65, 100})
        for (std::uint64_t jump = limits::load_window_sequences - 130; jump <= limits::load_window_sequences + 130;
             ++jump) {
            SCOPED_TRACE(testing::Message() << "start " << start << " jump " << jump);
            const auto pair = std::make_unique<Pair>();
            for (std::uint64_t i = 0; i <= start; ++i) ASSERT_TRUE(pair->record(i)) << "sequence " << i;
            ASSERT_TRUE(pair->record(start + jump)) << "sequence " << start + jump;
            // Both sides of the far edge of the window, where marks of the first round would show.
            for (std::uint64_t back = std::min(reach + 70, start + jump); back > reach - 200; back -= 3)
                ASSERT_TRUE(pair->record(start + jump - back)) << "sequence " << start + jump - back;
        }
}

TEST(SequenceWindow, runs_equal_their_single_sequences) {
    Random random(9);
    for (int round = 0; round < 40; ++round) {
        OwnedWindow by_run, by_one;
        for (int step = 0; step < 200; ++step) {
            const std::uint64_t first = by_run.end() + (random() % 4 == 0 ? random() % 300'000 : random() % 3);
            const std::uint64_t count = 1 + random() % (random() % 8 == 0 ? 3'000 : 130);
            by_run.record_new(first, count);
            for (std::uint64_t i = 0; i < count; ++i) ASSERT_EQ(by_one.record(first + i), Arrival::in_order);
            // One that is in the run, before it, or far behind it.
            const std::uint64_t back =
                first + count - 1 - std::min(first, random() % (random() % 8 == 0 ? reach : 400));
            ASSERT_EQ(by_run.record(back), by_one.record(back)) << back << " after " << count << " from " << first;
            ASSERT_EQ(by_run.end(), by_one.end());
            ASSERT_EQ(by_run.distinct(), by_one.distinct());
            ASSERT_EQ(by_run.missing(), by_one.missing());
        }
    }
}

TEST(SequenceWindow, far_jumps_up_to_the_last_sequence) {
    const auto pair = std::make_unique<Pair>();
    for (std::uint64_t at = 0; at < sequence_end; at = at * 3 + 1'000)
        for (const std::uint64_t near : {at, at + 2, at + 1, at + 1})
            ASSERT_TRUE(pair->record(near)) << "sequence " << near;
    ASSERT_TRUE(pair->record(sequence_end - 1)) << "sequence " << sequence_end - 1;
    ASSERT_TRUE(pair->record(sequence_end - 2)) << "sequence " << sequence_end - 2;
}

TEST(SequenceWindow, random_walks) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        Random random(seed);
        const auto pair = std::make_unique<Pair>();
        // From small steps to leaps by whole windows.
        const std::uint64_t stride = 1ull << random() % 18;
        for (int step = 0; step < 3'000; ++step) {
            const std::uint64_t end = pair->model.end();
            const std::uint64_t back = random() % (random() % 16 == 0 ? 2 * limits::load_window_sequences : 200);
            const std::uint64_t sequence = random() % 2 == 0 ? end + random() % stride : end - std::min(end, back);
            ASSERT_TRUE(pair->record(sequence)) << "sequence " << sequence;
        }
    }
}

}  // namespace
}  // namespace ringpost::traffic
