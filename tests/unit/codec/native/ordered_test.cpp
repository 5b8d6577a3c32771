#include "codec/native/channel/ordered.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/codec/native/frame_samples.hpp"

namespace ringpost::native {
namespace {

/// A channel, and what it has delivered, as text.
struct Receiver {
    explicit Receiver(std::uint64_t window = 10'000, std::uint32_t message_bytes_max = 5'000)
        : channel(window, message_bytes_max), connection(window) {}

    /// A MESSAGES frame with messages of these texts.
    Intake messages(std::uint32_t first, const std::vector<std::string>& texts, bool direct_allowed = true,
                    bool one_length = false) {
        Bytes bytes;
        for (const std::string& text : texts) {
            if (!one_length) bytes.push_back(static_cast<std::byte>(text.size()));
            for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
        }
        native::Run run{bytes.data(), static_cast<std::uint32_t>(bytes.size()),
                        static_cast<std::uint32_t>(texts.size()),
                        one_length ? static_cast<std::uint32_t>(texts[0].size()) : 0, 0};
        std::uint64_t number = 0, cost = 0;
        const Intake intake = channel.on_messages(first, run, direct_allowed, connection, number, cost);
        if (intake == Intake::direct) {
            EXPECT_EQ(number, delivered.size());
            add(run);
            consume(cost);
        }
        take();
        return intake;
    }
    Intake fragment(std::uint32_t number, std::uint32_t total, std::uint32_t offset, const std::string& text) {
        const Intake intake = channel.on_fragment(
            {0, false, number, total, offset, std::as_bytes(std::span(text.data(), text.size()))}, connection);
        take();
        return intake;
    }
    void take() {
        while (channel.ready()) {
            const OrderedIncoming::Kept kept = channel.take();
            EXPECT_EQ(kept.number, delivered.size());
            EXPECT_EQ(kept.cost, kept.run.payload_bytes() + kept.run.count * message_overhead);
            add(kept.run);
            consume(kept.cost);
            channel.release(kept.block, kept.run.count);
        }
    }
    void add(const native::Run& run) {
        ++runs;
        run.for_each([&](std::span<const std::byte> message) {
            delivered.emplace_back(reinterpret_cast<const char*>(message.data()), message.size());
        });
    }
    void consume(std::uint64_t cost) {
        for (ReceiveCredit* credit : {&channel.credit(), &connection}) {
            credit->consume(cost);
            if (credit->update_due()) credit->take_update();
        }
    }

    OrderedIncoming channel;
    ReceiveCredit connection;
    std::vector<std::string> delivered;
    int runs = 0;
};

using Texts = std::vector<std::string>;

TEST(NativeOrdered, in_order_from_the_packet) {
    Receiver receiver;
    EXPECT_EQ(receiver.messages(0, {"a", "bb", ""}), Intake::direct);
    EXPECT_EQ(receiver.messages(3, {"c"}), Intake::direct);
    EXPECT_EQ(receiver.messages(0, {"a", "bb", ""}), Intake::duplicate);
    EXPECT_EQ(receiver.messages(2, {"", "c", "d"}), Intake::direct) << "the part that is new";
    EXPECT_EQ(receiver.delivered, (Texts{"a", "bb", "", "c", "d"}));
}

TEST(NativeOrdered, a_gap_is_waited_for) {
    Receiver receiver;
    EXPECT_EQ(receiver.messages(4, {"e", "f"}), Intake::stored);
    EXPECT_EQ(receiver.messages(2, {"cc", "d"}), Intake::stored);
    EXPECT_EQ(receiver.messages(4, {"e", "f"}), Intake::duplicate);
    EXPECT_TRUE(receiver.delivered.empty());
    EXPECT_EQ(receiver.messages(0, {"a", "b"}), Intake::direct);
    EXPECT_EQ(receiver.delivered, (Texts{"a", "b", "cc", "d", "e", "f"}));
    EXPECT_EQ(receiver.runs, 3) << "kept runs stay runs";
    EXPECT_EQ(receiver.channel.kept(), 0u);
}

TEST(NativeOrdered, runs_may_overlap_in_any_way) {
    Receiver receiver;
    receiver.messages(3, {"d", "e"});
    receiver.messages(2, {"c", "d", "e", "f"});
    receiver.messages(5, {"f", "g", "h"});
    receiver.messages(1, {"b", "c", "d"});
    EXPECT_EQ(receiver.messages(0, {"a", "b", "c", "d", "e", "f", "g", "h", "i"}), Intake::stored);
    EXPECT_EQ(receiver.delivered, (Texts{"a", "b", "c", "d", "e", "f", "g", "h", "i"}));
}

TEST(NativeOrdered, a_message_that_was_begun_in_parts_comes_whole) {
    Receiver receiver;
    EXPECT_EQ(receiver.fragment(1, 4, 0, "bb"), Intake::stored);
    EXPECT_EQ(receiver.messages(1, {"bbb", "c"}), Intake::violation) << "of another length";
    EXPECT_EQ(receiver.messages(0, {"a", "bbBB", "c"}), Intake::stored);
    EXPECT_EQ(receiver.delivered, (Texts{"a", "bbBB", "c"}));
    EXPECT_EQ(receiver.fragment(1, 4, 2, "BB"), Intake::duplicate);
    EXPECT_EQ(receiver.channel.kept(), 0u);
}

TEST(NativeOrdered, only_what_is_new_takes_memory) {
    Receiver receiver(100'000, 65'000);
    const std::string large(200, 'x');
    ASSERT_EQ(receiver.messages(2, {large}), Intake::stored);
    // Each of these runs has one message of 0 bytes that is new: it costs 16, and must not take 200 of memory.
    for (std::uint32_t number = 3; number < 4'000; ++number) {
        ASSERT_EQ(receiver.messages(number - 1, {number == 3 ? large : "", ""}), Intake::stored) << number;
    }
    Bytes bytes(60'000);
    native::Run run{bytes.data(), 30'000, 1, 30'000, 0};
    EXPECT_NE(receiver.channel.keep(run), Arena::none);
}

TEST(NativeOrdered, messages_larger_than_announced_are_a_violation) {
    Receiver receiver(10'000, 100);
    EXPECT_EQ(receiver.messages(0, {"a", std::string(100, 'x')}), Intake::direct);
    EXPECT_EQ(receiver.messages(2, {"a", std::string(101, 'x')}), Intake::violation);
    EXPECT_EQ(receiver.messages(2, {std::string(101, 'x')}, true, true), Intake::violation);
    EXPECT_EQ(receiver.messages(9, {std::string(101, 'x')}, true, true), Intake::violation);
    EXPECT_EQ(receiver.messages(2, {std::string(100, 'x'), std::string(100, 'y')}, true, true), Intake::direct);
}

TEST(NativeOrdered, a_peer_that_sends_out_of_order_fills_the_arena_at_its_own_expense) {
    // The first block stays, as its message is far ahead; those behind it are delivered, and cannot be freed.
    Receiver receiver(10'000, 200);
    ASSERT_EQ(receiver.messages(1'000, {"far ahead"}), Intake::stored);
    const std::string text(200, 'x');
    Intake intake = Intake::stored;
    for (std::uint32_t number = 0; number < 999 && intake == Intake::stored; number += 2) {
        intake = receiver.messages(number + 1, {text});
        ASSERT_NE(intake == Intake::stored ? receiver.messages(number, {text}) : intake, Intake::violation);
    }
    EXPECT_EQ(intake, Intake::no_room);
    Bytes bytes(200);
    native::Run run{bytes.data(), 200, 1, 200, 0};
    EXPECT_EQ(receiver.channel.keep(run), Arena::none);
}

TEST(NativeOrdered, of_one_length_and_of_length_zero) {
    Receiver receiver;
    EXPECT_EQ(receiver.messages(4, {"", "", ""}, true, true), Intake::stored);
    EXPECT_EQ(receiver.messages(2, {"cc", "dd"}, true, true), Intake::stored);
    EXPECT_EQ(receiver.messages(0, {"aa", "bb"}, true, true), Intake::direct);
    EXPECT_EQ(receiver.delivered, (Texts{"aa", "bb", "cc", "dd", "", "", ""}));
}

TEST(NativeOrdered, is_kept_when_the_caller_cannot_deliver) {
    Receiver receiver;
    EXPECT_EQ(receiver.messages(0, {"a"}, false), Intake::stored);
    EXPECT_EQ(receiver.delivered, Texts{"a"});
}

TEST(NativeOrdered, parts_in_any_order) {
    Receiver receiver;
    EXPECT_EQ(receiver.fragment(1, 6, 3, "def"), Intake::stored);
    EXPECT_EQ(receiver.fragment(0, 5, 0, "ab"), Intake::stored);
    EXPECT_EQ(receiver.fragment(0, 5, 1, "bcd"), Intake::stored) << "parts may overlap";
    EXPECT_EQ(receiver.fragment(0, 5, 1, "bc"), Intake::duplicate);
    EXPECT_TRUE(receiver.delivered.empty());
    EXPECT_EQ(receiver.fragment(0, 5, 4, "e"), Intake::stored);
    EXPECT_EQ(receiver.delivered, Texts{"abcde"});
    EXPECT_EQ(receiver.fragment(0, 5, 4, "e"), Intake::duplicate);
    EXPECT_EQ(receiver.messages(2, {"z"}), Intake::stored);
    EXPECT_EQ(receiver.fragment(1, 6, 0, "abc"), Intake::stored);
    EXPECT_EQ(receiver.delivered, (Texts{"abcde", "abcdef", "z"}));
}

TEST(NativeOrdered, contradictions_and_excess) {
    EXPECT_EQ(Receiver().fragment(0, 5'001, 0, "a"), Intake::violation) << "larger than any message";
    Receiver receiver;
    receiver.fragment(0, 6, 0, "ab");
    EXPECT_EQ(receiver.fragment(0, 7, 2, "cd"), Intake::violation) << "another size";
    Receiver full;
    EXPECT_EQ(full.fragment(1, 5'000, 0, "a"), Intake::stored);
    EXPECT_EQ(full.fragment(2, 4'968, 0, "a"), Intake::stored);
    EXPECT_EQ(full.fragment(3, 1, 0, "a"), Intake::violation) << "10,000 are used";
    Receiver far;
    EXPECT_EQ(far.messages(1'000'000, {"a"}), Intake::violation);
    EXPECT_EQ(far.fragment(1'000'000, 10, 0, "a"), Intake::violation);
    Receiver filled;
    Intake last = Intake::stored;
    std::uint32_t count = 0;
    while ((last = filled.messages(1 + count, {"0123456789"})) == Intake::stored) ++count;
    EXPECT_EQ(last, Intake::violation);
    EXPECT_EQ(count, 10'000u / 26);
}

// Slices of a stream of messages, some in parts, arrive in random order and repeatedly, within the window.
TEST(NativeOrdered, agrees_with_the_stream) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        std::mt19937_64 random(seed);
        Receiver receiver(20'000, 5'000);
        std::vector<std::string> sent;
        struct Piece {
            std::uint32_t number;
            std::vector<std::string> texts;  // empty: a part
            std::uint32_t total, offset;
            std::string part;
        };
        std::vector<Piece> flying;
        std::uint64_t used = 0;
        while (sent.size() < 3'000) {
            // New pieces, as far as the window allows.
            while (sent.size() < 3'000 && flying.size() < 40) {
                const bool parts = random() % 10 == 0;
                const std::size_t count = parts ? 1 : 1 + random() % 20;
                std::vector<std::string> texts;
                std::uint64_t cost = 0;
                for (std::size_t i = 0; i < count; ++i) {
                    texts.emplace_back(parts ? 300 + random() % 4'000 : random() % 60, static_cast<char>(random()));
                    cost += message_cost(texts.back().size());
                }
                if (used + cost > receiver.channel.credit().limit()) break;
                used += cost;
                const auto number = static_cast<std::uint32_t>(sent.size());
                sent.insert(sent.end(), texts.begin(), texts.end());
                if (!parts) {
                    flying.push_back({number, texts, 0, 0, ""});
                    continue;
                }
                const std::string& whole = texts[0];
                for (std::size_t at = 0; at < whole.size(); at += 500)
                    flying.push_back({number,
                                      {},
                                      static_cast<std::uint32_t>(whole.size()),
                                      static_cast<std::uint32_t>(at),
                                      whole.substr(at, 500)});
            }
            ASSERT_FALSE(flying.empty());
            // Mostly near the front, so that the window moves.
            const std::size_t chosen = std::min(random() % flying.size(), random() % flying.size());
            const Piece piece = flying[chosen];
            if (random() % 4 > 0) flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(chosen));
            const Intake intake = piece.texts.empty()
                                      ? receiver.fragment(piece.number, piece.total, piece.offset, piece.part)
                                      : receiver.messages(piece.number, piece.texts, random() % 4 > 0);
            ASSERT_NE(intake, Intake::violation);
            ASSERT_NE(intake, Intake::no_room);
        }
        for (const Piece& piece : flying)
            piece.texts.empty() ? receiver.fragment(piece.number, piece.total, piece.offset, piece.part)
                                : receiver.messages(piece.number, piece.texts);
        ASSERT_EQ(receiver.delivered, sent);
        EXPECT_EQ(receiver.channel.kept(), 0u);
    }
}

// The arena holds what any window allows: the smallest messages, each in a block of its own, in the worst order.
TEST(NativeOrdered, the_arena_is_large_enough) {
    constexpr std::uint64_t window = 20'000;
    OrderedIncoming channel(window, 5'000);
    ReceiveCredit connection(UINT64_MAX / 2);
    const std::byte one[] = {std::byte{0}};
    std::uint64_t number = 0, cost = 0;
    const auto keep_one = [&](std::uint32_t which) {
        native::Run run{one, 1, 1, 1, 1};
        return channel.on_messages(which, run, false, connection, number, cost);
    };
    constexpr auto count = static_cast<std::uint32_t>(window / message_overhead);
    // The highest number first, which is freed last; twice, so that the ring wraps.
    for (std::uint32_t base = 0; base < 4 * count; base += count) {
        for (std::uint32_t i = count; i > 0; --i) ASSERT_EQ(keep_one(base + i - 1), Intake::stored) << base << " " << i;
        while (channel.ready()) {
            const auto kept = channel.take();
            channel.credit().consume(kept.cost);
            channel.release(kept.block, kept.run.count);
        }
        channel.credit().take_update();
    }
}

}  // namespace
}  // namespace ringpost::native
