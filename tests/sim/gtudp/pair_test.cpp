// Two gtUDP endpoints over one link.

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/gtudp/duo.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

// Per message, with a loss of p = 1 - q in each direction: DATA until one arrives and its RECV as well takes more than
// 1/q; the minimum for all three kinds is 1/q + 1/q^2 + 1/q, since a RECV is sent again if it or its ACK is lost.
TEST(GtudpPair, thirty_percent_loss_costs_few_datagrams) {
    for_each_seed(3, [](std::uint64_t seed) {
        gtudp::Options options = small_options(seed);
        options.sends_max = options.receives_max = 4'096;
        options.payload_bytes = 1 << 20;
        options.event_bytes = 2 << 20;
        options.resending.data_sends_max = options.resending.recv_sends_max = 60;
        const double p = 0.3, q = 1 - p;
        Duo duo(seed, options, {.loss = p, .delay = 10 * millisecond});
        constexpr int total = 4'000;
        for (int i = 0; i < total; ++i) {
            duo.send(0, "message " + std::to_string(i));
            if (i % 100 == 0) duo.network.run_until(duo.network.now() + 5 * millisecond);
        }
        duo.finish();
        EXPECT_EQ(duo.endpoints[1]->counters().delivered, static_cast<std::uint64_t>(total));
        const double least = total * (1 / q + 1 / (q * q) + 1 / q);
        const auto sent = static_cast<double>(duo.network.sent(0, 0) + duo.network.sent(1, 0));
        EXPECT_LT(sent, 1.1 * least);
    });
}

// Messages in flight are delivered again, as from a new peer, and confirmed once.
TEST(GtudpPair, a_peer_may_change_its_address) {
    Duo duo(1, small_options(1), {.delay = 10 * millisecond});
    duo.send(0, "from the old address");
    EXPECT_EQ(duo.network.run_until(15 * millisecond), Outcome::at_end);
    EXPECT_EQ(duo.endpoints[1]->counters().delivered, 1u);
    const Address elsewhere = Address::v4(10, 0, 7, 7, 777);
    duo.network.move(0, elsewhere);
    duo.oracle.moved(0, elsewhere);
    duo.send(0, "from the new one");
    EXPECT_EQ(duo.network.run_until(10 * second), Outcome::at_end);
    duo.finish();
    EXPECT_EQ(duo.endpoints[0]->counters().confirmed, 2u);
    EXPECT_EQ(duo.endpoints[0]->counters().data_sent, 3u);
    EXPECT_EQ(duo.endpoints[1]->counters().delivered, 3u);
    EXPECT_EQ(duo.endpoints[1]->counters().recv_gave_up, 1u) << "no host at the old address";
}

// Every datagram to or from the peer is lost meanwhile, as when it is stopped and its buffer is full.
TEST(GtudpPair, a_peer_on_a_lan_that_is_stopped_for_five_seconds_loses_nothing) {
    for_each_seed(20, [](std::uint64_t seed) {
        const Link lan{.delay = 100 * microsecond};
        Duo duo(seed, small_options(seed), lan);
        for (int i = 0; i < 50; ++i) {
            duo.send(0, "before " + std::to_string(i));
            duo.network.run_until(duo.network.now() + millisecond);
        }
        duo.send(0, "just before");
        duo.network.link_both(0, 1, {.loss = 1});
        for (int i = 0; i < 50; ++i) {
            duo.send(0, "meanwhile " + std::to_string(i));
            duo.network.run_until(duo.network.now() + 100 * millisecond);
        }
        duo.network.link_both(0, 1, lan);
        duo.finish();
        EXPECT_EQ(duo.endpoints[0]->counters().confirmed, 101u);
        EXPECT_EQ(duo.endpoints[1]->counters().delivered, 101u);
    });
}

// Its buffer takes few of the datagrams of a burst, so most are lost again and again.
TEST(GtudpPair, a_receiver_with_a_tiny_buffer_loses_nothing) {
    for_each_seed(5, [](std::uint64_t seed) {
        Duo duo(seed, small_options(seed), {.delay = 100 * microsecond});
        duo.send(0, "known");
        duo.network.run_until(10 * millisecond);
        duo.network.link(0, 1, {.loss = 0.9, .delay = 100 * microsecond});
        for (int i = 0; i < 200; ++i) duo.send(0, "message " + std::to_string(i));
        duo.finish();
        EXPECT_EQ(duo.endpoints[0]->counters().confirmed, 201u);
    });
}

// Answers that are repeated or belong to an earlier sending do not prolong the timeouts. The first timeout of a new
// path is 500 ms.
TEST(GtudpPair, a_burst_over_a_short_path_with_loss_ends_soon) {
    for_each_seed(50, [](std::uint64_t seed) {
        Duo duo(seed, small_options(seed), {.loss = 0.1, .delay = 2 * millisecond, .jitter = 20 * millisecond});
        for (int i = 0; i < 200; ++i) duo.send(0, "message " + std::to_string(i));
        duo.network.run_until(3 * second);
        EXPECT_EQ(duo.endpoints[0]->counters().confirmed, 200u);
        EXPECT_LT(duo.endpoints[0]->rtt(duo_addresses[1]), 100 * millisecond);
        duo.finish();
    });
}

TEST(GtudpPair, identities_wrap_around) {
    gtudp::Options options = small_options(1);
    options.first_identity = UINT32_MAX - 3;
    Duo duo(1, options, {.loss = 0.2, .delay = 10 * millisecond});
    for (int i = 0; i < 20; ++i) {
        duo.send(0, "message " + std::to_string(i));
        duo.send(1, "answer " + std::to_string(i));
    }
    duo.finish();
}

}  // namespace
}  // namespace ringpost::sim
