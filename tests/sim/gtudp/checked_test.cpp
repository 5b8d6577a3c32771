// Links that corrupt datagrams without UDP's checksum noticing, with and without gtudp::Wire::checked.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/sim/gtudp/duo.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

constexpr int messages = 100;

struct Corrupted {
    std::map<std::string, int> delivered;
    gtudp::Counters receiver;
};

std::string text_of(int number) { return "message " + std::to_string(number); }

Corrupted play(std::uint64_t seed, bool checked) {
    gtudp::Options options = small_options(seed);
    gtudp::Wire wire;
    wire.checked = checked;
    options.codec = *gtudp::Codec::make(wire);
    Network network(seed);
    gtudp::Endpoint sender(options), receiver(options);
    Corrupted out;
    const auto keep = [&](Instant, const gtudp::Event& event) {
        if (event.kind != gtudp::Event::Kind::message) return;
        const auto* text = reinterpret_cast<const char*>(event.bytes.data());
        ++out.delivered[event.bytes.empty() ? "" : std::string(text, event.bytes.size())];
    };
    network.add(duo_addresses[0], sender, [](Instant, const gtudp::Event&) {});
    network.add(duo_addresses[1], receiver, keep);
    // Without changed RECVs: one that becomes the RECV of another message confirms it.
    network.link(0, 1, {.corrupt = 0.3, .truncate = 0.1, .delay = millisecond});
    network.link(1, 0, {.delay = millisecond});
    for (int i = 0; i < messages; ++i) {
        EXPECT_TRUE(sender.send(network.now(), duo_addresses[1], bytes_of(text_of(i))));
        network.wake(0);
    }
    EXPECT_EQ(network.run(), Outcome::idle);
    EXPECT_EQ(sender.counters().confirmed, static_cast<std::uint64_t>(messages));
    out.receiver = receiver.counters();
    return out;
}

TEST(GtudpChecked, nothing_corrupt_is_delivered_and_everything_arrives_once) {
    for_each_seed(50, [](std::uint64_t seed) {
        const Corrupted run = play(seed, true);
        EXPECT_EQ(run.delivered.size(), static_cast<std::size_t>(messages));
        for (int i = 0; i < messages; ++i)
            EXPECT_TRUE(run.delivered.contains(text_of(i)) && run.delivered.at(text_of(i)) == 1) << i;
        EXPECT_GT(run.receiver.corrupt, 0u);
        EXPECT_EQ(run.receiver.data_received, run.receiver.delivered + run.receiver.duplicates + run.receiver.corrupt);
    });
}

TEST(GtudpChecked, without_it_corrupt_messages_are_delivered) {
    const Corrupted run = play(1, false);
    EXPECT_GT(run.delivered.size(), static_cast<std::size_t>(messages));
    EXPECT_EQ(run.receiver.corrupt, 0u);
}

}  // namespace
}  // namespace ringpost::sim
