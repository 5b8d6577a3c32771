// Two endpoints that send struct messages over links that lose, duplicate, reorder and corrupt datagrams.
//
// The oracle stores what each side sends. An unchanged datagram must yield exactly its message. In a changed datagram,
// the weak checksum of the format may miss the change (the id is not covered at all, and pairs of flipped bits cancel
// out): its events must be what a simple scanner finds in the same bytes, and messages that were never sent count as
// forged.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "codec/structs/endpoint.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/unit/codec/structs/model.hpp"

namespace ringpost::sim {
namespace {

using structs::Endpoint;
using structs::Event;
using structs::MessageId;

const Address addresses[] = {Address::v4(10, 0, 0, 1, 5'005), Address::v4(10, 0, 0, 2, 5'005)};
constexpr std::uint64_t messages_each = 150;
constexpr MessageId ids[] = {7, 0xffff, 0x1234};
constexpr const char* formats[] = {"<QB", "!QhH3x", "Q300B"};

using Bytes = std::vector<std::byte>;

/// Message number `n` of a side: its number, and bytes derived from it.
Bytes payload_of(const structs::Format& format, std::uint64_t n) {
    Bytes out(format.bytes());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(n * 0x9e37'79b9'7f4a'7c15 >> i % 57);
    store_le(out.data(), n);
    return out;
}

struct Reported {
    Event event;
    Bytes payload;
};

/// An endpoint whose driver also stores every received datagram.
struct Tapped {
    using Event = structs::Event;

    explicit Tapped(const structs::Library& library) : endpoint(library) {}
    void handle(Instant now, const Datagram& in) {
        received.emplace_back(in.bytes.begin(), in.bytes.end());
        endpoint.handle(now, in);
    }
    void handle_timeout(Instant now) { endpoint.handle_timeout(now); }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        return endpoint.poll_transmit(now, out);
    }
    std::optional<Event> poll_event() { return endpoint.poll_event(); }
    std::optional<Instant> poll_timeout() const { return endpoint.poll_timeout(); }

    Endpoint endpoint;
    std::vector<Bytes> received;
};

struct StructsPlay {
    StructsPlay(std::uint64_t seed, const Link& link) : network(seed) {
        for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(library.add(ids[i], std::to_string(i), formats[i]));
        for (std::size_t side = 0; side < 2; ++side) {
            sides[side] = std::make_unique<Tapped>(library);
            network.add(addresses[side], *sides[side], [this, side](Instant, const Event& event) {
                reported[side].push_back({event, {event.payload.begin(), event.payload.end()}});
            });
        }
        network.link_both(0, 1, link);
    }

    void run(Random& random) {
        for (std::uint64_t n = 0; n < messages_each;) {
            // A few at a time, of mixed lengths, so that they leave in trains and alone.
            for (std::uint64_t burst = random.between(1, 20); burst > 0 && n < messages_each; --burst, ++n)
                for (std::size_t side = 0; side < 2; ++side) send(side, random.below(random.between(1, 3)), n);
            network.wake(0);
            network.wake(1);
            ASSERT_NE(network.run_until(network.now() + 20 * millisecond), Outcome::livelock);
        }
        ASSERT_EQ(network.run(), Outcome::idle);
    }

    void send(std::size_t side, std::size_t kind, std::uint64_t n) {
        sent[side].emplace_back(ids[kind], payload_of(library.find(ids[kind])->format, n));
        ASSERT_TRUE(sides[side]->endpoint.send(addresses[1 - side], {ids[kind], sent[side].back().second}));
    }

    void expect_truth(std::size_t side);
    void expect_reported(const Reported& one, const structs::model::Found& found, std::size_t side);

    Network network;
    structs::Library library;
    std::unique_ptr<Tapped> sides[2];
    std::vector<Reported> reported[2];
    std::vector<std::pair<MessageId, Bytes>> sent[2];
    std::uint64_t forged = 0;  ///< reported as a message, but never sent
    std::uint64_t failures[2]{}, unknown[2]{};
};

/// An event must be what the model has found there.
void StructsPlay::expect_reported(const Reported& one, const structs::model::Found& found, std::size_t side) {
    EXPECT_EQ(one.event.source, addresses[1 - side]);
    EXPECT_EQ(one.event.offset, found.offset);
    EXPECT_EQ(one.event.kind == Event::Kind::damage, found.error.has_value());
    if (found.error) {
        EXPECT_EQ(one.event.error, *found.error);
        return;
    }
    const structs::Definition* definition = library.find(found.id);
    const bool fits = definition != nullptr && definition->format.bytes() == found.payload.size();
    EXPECT_EQ(one.event.kind, definition == nullptr ? Event::Kind::unknown_id
                              : fits                ? Event::Kind::message
                                                    : Event::Kind::wrong_size);
    EXPECT_EQ(one.event.id, found.id);
    EXPECT_EQ(one.event.definition, definition);
    EXPECT_EQ(one.payload, found.payload);
    unknown[side] += !fits;
    const auto& others = sent[1 - side];
    forged += fits && std::find(others.begin(), others.end(), std::pair(found.id, found.payload)) == others.end();
}

void StructsPlay::expect_truth(std::size_t side) {
    const auto& deliveries = network.deliveries(side);
    const auto& received = sides[side]->received;
    ASSERT_EQ(received.size(), deliveries.size());
    std::size_t next = 0;
    std::uint64_t messages = 0, skipped = 0;
    for (std::size_t i = 0; i < received.size(); ++i) {
        const auto found = structs::model::scan(received[i]);
        skipped += received[i].size();
        if (deliveries[i].intact) {
            const auto& [id, payload] = sent[1 - side].at(deliveries[i].ordinal);
            ASSERT_EQ(found, (std::vector{structs::model::Found{0, std::nullopt, id, payload}}));
        }
        for (std::size_t k = 0; k < found.size(); ++k) {
            failures[side] += found[k].error.has_value();
            if (!found[k].error) skipped -= structs::header_bytes + found[k].payload.size();
            if (found[k].error && k > 0 && found[k - 1].error) continue;  // reported together with the first
            ASSERT_LT(next, reported[side].size());
            expect_reported(reported[side][next], found[k], side);
            messages += reported[side][next++].event.kind == Event::Kind::message;
        }
    }
    EXPECT_EQ(next, reported[side].size()) << "no further events";
    const structs::Counters& counts = sides[side]->endpoint.counters();
    EXPECT_EQ(counts.received, received.size());
    EXPECT_EQ(counts.sent, messages_each);
    EXPECT_EQ(counts.messages, messages);
    EXPECT_EQ(counts.unknown_id + counts.wrong_size, unknown[side]);
    EXPECT_EQ(counts.past_end + counts.size_small + counts.checksum, failures[side]);
    EXPECT_EQ(counts.skipped_bytes, skipped);
    EXPECT_EQ(counts.app_behind, 0u);
}

TEST(StructsPair, a_perfect_link_delivers_everything_once_and_in_order) {
    StructsPlay play(1, {.delay = 3 * millisecond});
    Random random(1);
    play.run(random);
    for (std::size_t side = 0; side < 2; ++side) {
        play.expect_truth(side);
        EXPECT_EQ(play.reported[side].size(), messages_each);
        EXPECT_EQ(play.unknown[side] + play.failures[side], 0u);
    }
    EXPECT_EQ(play.forged, 0u);
}

TEST(StructsPair, a_bad_link_yields_only_what_the_bytes_contain) {
    std::uint64_t changed = 0, forged = 0;
    for_each_seed(40, [&](std::uint64_t seed) {
        Random random(~seed);
        const Link link{.loss = 0.1,
                        .duplicate = 0.1,
                        .corrupt = 0.3,
                        .truncate = 0.1,
                        .corrupt_bits_max = static_cast<unsigned>(random.between(1, 8)),
                        .delay = static_cast<Duration>(random.below(30'000'000)),
                        .jitter = static_cast<Duration>(random.below(30'000'000))};
        StructsPlay play(seed, link);
        play.run(random);
        for (std::size_t side = 0; side < 2; ++side) {
            ASSERT_NO_FATAL_FAILURE(play.expect_truth(side));
            changed += play.network.counts(1 - side, side).changed;
        }
        forged += play.forged;
    });
    // A single flipped bit forges a message only in the id; several cancel out occasionally. This is always rare.
    EXPECT_LE(forged * 10, changed);
    ::testing::Test::RecordProperty("forged", static_cast<int>(forged));
    ::testing::Test::RecordProperty("changed", static_cast<int>(changed));
}

TEST(StructsPair, same_seed_gives_the_same_run) {
    const auto hash_of = [](std::uint64_t seed) {
        StructsPlay play(seed, {.loss = 0.2, .duplicate = 0.2, .corrupt = 0.2, .jitter = second});
        Random random(seed);
        play.run(random);
        return play.network.trace_hash();
    };
    for_each_seed(3, [&](std::uint64_t seed) { EXPECT_EQ(hash_of(seed), hash_of(seed)); });
}

}  // namespace
}  // namespace ringpost::sim
