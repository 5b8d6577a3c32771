#include "codec/native/channel/outgoing.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "codec/native/channel/ordered.hpp"

namespace ringpost::native {
namespace {

using Packed = Outgoing::Packed;

/// A channel that packs single frames.
struct Packer {
    explicit Packer(std::size_t log_bytes = 4'096, std::uint64_t window = 100'000)
        : channel(0, log_bytes, window), connection(window) {}

    bool append(std::size_t bytes, char fill = 'x') {
        const std::string text(bytes, fill);
        return channel.log().append(std::as_bytes(std::span(text.data(), text.size())));
    }
    Packed pack(std::size_t room = 1'444, bool fill = false) {
        buffer.assign(room, std::byte{0});
        FrameWriter out(buffer);
        const Packed packed = channel.pack_new(out, {1'444, fill, &connection}, slice);
        finish(out, packed);
        return packed;
    }
    Packed pack_lost(std::size_t room = 1'444) {
        buffer.assign(room, std::byte{0});
        FrameWriter out(buffer);
        const Packed packed = channel.pack_lost(out, slice);
        finish(out, packed);
        return packed;
    }
    void finish(const FrameWriter& out, Packed packed) {
        ASSERT_EQ(packed == Packed::written, out.bytes() > 0);
        if (packed != Packed::written) return;
        std::span<const std::byte> rest = std::span(buffer).first(out.bytes());
        frame = *take_frame(rest);
        ASSERT_TRUE(rest.empty());
    }
    const MessagesFrame& messages() const { return std::get<MessagesFrame>(frame); }
    const FragmentFrame& part() const { return std::get<FragmentFrame>(frame); }

    Outgoing channel;
    SendCredit connection;
    std::vector<std::byte> buffer;
    Frame frame;
    std::uint32_t slice = 0;
};

TEST(NativeOutgoing, as_many_as_fit) {
    Packer packer;
    EXPECT_EQ(packer.pack(), Packed::nothing);
    for (int i = 0; i < 30; ++i) packer.append(64);
    EXPECT_EQ(packer.pack(), Packed::written);
    EXPECT_EQ(packer.messages().run.count, 22u);
    EXPECT_EQ(packer.pack(), Packed::written);
    EXPECT_EQ(packer.messages().first, 22u);
    EXPECT_EQ(packer.messages().run.count, 8u);
    EXPECT_EQ(packer.pack(), Packed::nothing);
    EXPECT_EQ(packer.channel.count_unacked(), 30u);
}

TEST(NativeOutgoing, at_most_255_in_a_frame) {
    Packer packer;
    for (int i = 0; i < 400; ++i) packer.append(1);
    packer.pack();
    EXPECT_EQ(packer.messages().run.count, 255u);
}

TEST(NativeOutgoing, large_ones_in_parts) {
    Packer packer;
    packer.append(3'000);
    packer.append(10);
    EXPECT_EQ(packer.pack(40), Packed::no_room) << "not worth a frame";
    EXPECT_EQ(packer.pack(), Packed::written);
    EXPECT_EQ(packer.part().bytes.size(), 1'428u);
    EXPECT_EQ(packer.part().total, 3'000u);
    const std::uint32_t first = packer.slice;
    packer.pack();
    EXPECT_EQ(packer.part().offset, 1'428u);
    const std::uint32_t second = packer.slice;
    packer.pack();
    EXPECT_EQ(packer.part().bytes.size(), 144u);
    EXPECT_EQ(packer.channel.count_unacked(), 2u);
    const std::uint32_t third = packer.slice;
    // The parts before are acknowledged; the last one must still know the size of the whole.
    packer.channel.on_acked(first);
    packer.channel.on_acked(second);
    packer.channel.on_lost(third);
    EXPECT_EQ(packer.pack_lost(), Packed::written);
    EXPECT_EQ(packer.part().total, 3'000u);
    EXPECT_EQ(packer.part().offset, 2'856u);
    EXPECT_EQ(packer.channel.count_unacked(), 2u);
    packer.pack();
    EXPECT_EQ(packer.messages().first, 1u);
    packer.channel.on_acked(third);
    packer.channel.on_acked(packer.slice);
    EXPECT_TRUE(packer.channel.all_acked());
    EXPECT_EQ(packer.channel.count_unacked(), 0u);
}

TEST(NativeOutgoing, fills_a_packet_with_a_part_if_asked) {
    Packer packer;
    packer.append(500);
    packer.append(500);
    EXPECT_EQ(packer.pack(400), Packed::no_room);
    EXPECT_EQ(packer.pack(400, true), Packed::written);
    EXPECT_EQ(packer.part().bytes.size(), 384u);
    EXPECT_EQ(packer.pack(), Packed::written);
    EXPECT_EQ(packer.part().bytes.size(), 116u);
}

TEST(NativeOutgoing, limits_of_the_peer) {
    Packer packer(4'096, 250);
    for (int i = 0; i < 5; ++i) packer.append(84);
    EXPECT_EQ(packer.pack(), Packed::written);
    EXPECT_EQ(packer.messages().run.count, 2u) << "each costs 100";
    EXPECT_EQ(packer.pack(), Packed::no_credit);
    packer.channel.credit().raise(450);
    EXPECT_EQ(packer.pack(), Packed::no_credit) << "the connection has a limit, too";
    packer.connection.raise(450);
    EXPECT_EQ(packer.pack(), Packed::written);
    EXPECT_EQ(packer.messages().run.count, 2u);
}

TEST(NativeOutgoing, lost_ones_go_again_from_the_oldest) {
    Packer packer;
    std::vector<std::uint32_t> slices;
    for (int i = 0; i < 5; ++i) {
        packer.append(10);
        packer.pack();
        slices.push_back(packer.slice);
    }
    for (const int i : {3, 1, 4}) packer.channel.on_lost(slices[static_cast<std::size_t>(i)]);
    packer.channel.on_acked(slices[4]);  // late
    EXPECT_EQ(packer.pack_lost(10), Packed::no_room);
    EXPECT_EQ(packer.pack_lost(), Packed::written);
    EXPECT_EQ(packer.messages().first, 1u);
    EXPECT_EQ(packer.pack_lost(), Packed::written);
    EXPECT_EQ(packer.messages().first, 3u);
    EXPECT_EQ(packer.pack_lost(), Packed::nothing);
    for (const std::uint32_t slice : slices) packer.channel.on_acked(slice);
    EXPECT_TRUE(packer.channel.all_acked());
    packer.channel.on_acked(slices[2]);
    packer.channel.on_lost(slices[2]);
    EXPECT_FALSE(packer.channel.has_lost()) << "gone already";
}

// Random packets with random fates, into a receiver: everything arrives in order, and the log is empty in the end.
TEST(NativeOutgoing, everything_arrives_whatever_is_lost) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        std::mt19937_64 random(seed);
        Packer packer(8'192, 30'000);
        OrderedIncoming receiver(30'000, 6'000);
        ReceiveCredit connection(30'000);
        std::vector<std::size_t> appended, delivered;
        std::multiset<std::uint32_t> flying;
        const auto take_run = [&](const native::Run& run, std::uint64_t cost) {
            run.for_each([&](std::span<const std::byte> message) { delivered.push_back(message.size()); });
            receiver.credit().consume(cost);
            connection.consume(cost);
        };
        const auto receive = [&] {
            std::uint64_t number = 0, cost = 0;
            if (auto* messages = std::get_if<MessagesFrame>(&packer.frame)) {
                native::Run run = messages->run;
                const Intake intake = receiver.on_messages(messages->first, run, true, connection, number, cost);
                ASSERT_TRUE(intake != Intake::violation && intake != Intake::no_room);
                if (intake == Intake::direct) take_run(run, cost);
            } else {
                const Intake intake = receiver.on_fragment(packer.part(), connection);
                ASSERT_TRUE(intake != Intake::violation && intake != Intake::no_room);
            }
            while (receiver.ready()) {
                const auto kept = receiver.take();
                take_run(kept.run, kept.cost);
                receiver.release(kept.block, kept.run.count);
            }
            packer.channel.credit().raise(receiver.credit().take_update());
            packer.connection.raise(connection.take_update());
        };
        for (int step = 0; step < 6'000; ++step) {
            const std::size_t bytes = random() % 8 == 0 ? random() % 6'000 : random() % 300;
            if (step < 4'000 && packer.append(bytes)) appended.push_back(bytes);
            Packed packed = packer.pack_lost();
            if (packed == Packed::nothing) packed = packer.pack(random() % 3 == 0 ? 700 : 1'444, random() % 2 == 0);
            if (packed == Packed::written) {
                flying.insert(packer.slice);
                if (random() % 4 > 0) {
                    receive();
                    if (random() % 4 > 0) {
                        packer.channel.on_acked(packer.slice);
                        flying.erase(flying.find(packer.slice));
                    }
                }
            }
            // What was not acknowledged is called lost some time.
            if (flying.size() > 10 || (packed != Packed::written && !flying.empty())) {
                packer.channel.on_lost(*flying.begin());
                flying.erase(flying.begin());
            }
            ASSERT_FALSE(testing::Test::HasFailure()) << seed;
        }
        ASSERT_EQ(delivered, appended) << seed;
        for (int i = 0; i < 1'000 && !packer.channel.all_acked(); ++i) {
            if (packer.pack_lost() == Packed::written) packer.channel.on_acked(packer.slice);
            if (flying.empty()) continue;
            packer.channel.on_lost(*flying.begin());
            flying.erase(flying.begin());
        }
        EXPECT_TRUE(packer.channel.all_acked());
    }
}

}  // namespace
}  // namespace ringpost::native
