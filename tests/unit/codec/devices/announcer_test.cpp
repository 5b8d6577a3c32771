#include "codec/devices/announcer.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/unit/helpers.hpp"

namespace ringpost::devices {
namespace {

const Address own_address = Address::v4(10, 0, 0, 1, 3'235), other_address = Address::v4(10, 0, 0, 2, 3'235);
const Address seed_address = Address::v4(192, 0, 2, 1, 3'235);

Address v6(std::uint8_t last) {
    Address out;
    out.ip = {0xfe, 0x80};
    out.ip[15] = last;
    out.family = Family::v6;
    out.port = 3'235;
    return out;
}

struct DevicesAnnouncer : testing::Test {
    static Options options() {
        Options out;
        out.name = "me";
        return out;
    }

    /// The adverts sent until `until`, as "AT kind socket".
    std::vector<std::string> run(Instant until) {
        std::vector<std::string> out;
        const auto drain = [&] {
            while (const auto transmit = announcer.poll(buffer)) {
                const auto advert = decode_advert(std::span(buffer).first(transmit->bytes));
                EXPECT_EQ(advert->name, "me");
                last = transmit->destination;
                out.push_back(std::to_string(now / millisecond) + (advert->kind == AdvertKind::hello ? " h" : " a") +
                              std::to_string(transmit->socket));
            }
        };
        for (drain(); announcer.next_timeout().value_or(never) <= until; drain()) {
            now = std::max(now, *announcer.next_timeout());
            announcer.expire(now);
        }
        now = until;
        return out;
    }
    using Lines = std::vector<std::string>;

    Context context{options()};
    Announcer announcer{context};
    Instant now = 0;
    Bytes buffer = Bytes(limits::datagram_bytes_max);
    Address last;
};

TEST_F(DevicesAnnouncer, sends_hello_then_alive_then_alive_every_period) {
    announcer.add(0, 0, own_address);
    EXPECT_EQ(run(27 * second), (Lines{"0 h0", "20 a0"}));
    EXPECT_EQ(last, default_group);
    const std::size_t sent = run(300 * second).size();
    EXPECT_GE(sent, 9u);
    EXPECT_LE(sent, 11u);
}

TEST_F(DevicesAnnouncer, every_link_starts_and_ends_separately) {
    announcer.add(0, 0, own_address);
    EXPECT_EQ(run(second), (Lines{"0 h0", "20 a0"}));
    announcer.add(second, 2, other_address);
    EXPECT_TRUE(announcer.is_own(other_address));
    EXPECT_EQ(run(2 * second), (Lines{"1000 h2", "1020 a2"}));
    announcer.add(2 * second, 2, other_address);
    announcer.remove(2);
    EXPECT_FALSE(announcer.is_own(other_address));
    EXPECT_EQ(run(10 * second), Lines{});
    announcer.remove(40);
    announcer.stop();
    EXPECT_EQ(announcer.next_timeout(), std::nullopt);
}

TEST_F(DevicesAnnouncer, one_answer_serves_all_new_devices) {
    announcer.add(0, 0, own_address);
    announcer.answer(5 * millisecond, 0);
    EXPECT_EQ(run(second), (Lines{"0 h0", "20 a0"})) << "the first alive is the answer";
    for (int i = 0; i < 100; ++i) announcer.answer(second, 0);
    announcer.answer(second, 7);
    EXPECT_EQ(run(2 * second).size(), 1u);
    announcer.answer(2 * second, 0);
    EXPECT_EQ(run(2 * second + 10 * millisecond).size(), 1u) << "soon, since there are few devices";
}

TEST_F(DevicesAnnouncer, any_number_of_new_devices_causes_four_answers_and_four_a_second) {
    announcer.add(0, 0, own_address);
    announcer.add(0, 1, other_address);
    run(second);
    std::vector<std::size_t> sent;
    while (now < 21 * second) {
        if (now % second == 0) sent.push_back(0);
        announcer.answer(now, 1);
        sent.back() += run(now + millisecond).size();
    }
    EXPECT_EQ(sent[0], 7u);
    for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_NEAR(static_cast<double>(sent[i]), 4, 1) << i;
    EXPECT_LE(std::accumulate(sent.begin(), sent.end(), std::size_t{0}), 84u);
    // All that come before an answer share it, and none is left without.
    run(23 * second);
    for (int i = 0; i < 100; ++i) announcer.answer(now, 1);
    EXPECT_EQ(run(now + 10 * millisecond).size(), 1u);
}

TEST_F(DevicesAnnouncer, a_new_device_is_answered_although_others_have_used_the_answers_up) {
    announcer.add(0, 0, own_address);
    run(second);
    for (const Instant end = 3 * second; now < end; run(now + millisecond)) announcer.answer(now, 0);
    announcer.answer(now, 0);
    EXPECT_EQ(run(now + 260 * millisecond).size(), 1u);
}

TEST_F(DevicesAnnouncer, answers_to_all_are_rate_limited) {
    announcer.add(0, 0, own_address);
    announcer.add(0, 1, other_address);
    run(second);
    std::size_t sent = 0;
    for (; now < 9 * second; sent += run(now + 100 * millisecond).size()) announcer.answer_all(now);
    EXPECT_EQ(sent, 4u) << "two links, twice each in this time";
}

TEST_F(DevicesAnnouncer, seeds_and_families) {
    context.options.seeds = {seed_address, v6(9)};
    announcer.add(0, 0, own_address);
    announcer.add(0, 1, v6(1));
    EXPECT_EQ(run(0), (Lines{"0 h0", "0 h0", "0 h1"})) << "there is no IPv6 group, but a seed";
    context.options.group_v6 = v6(0xff);
    context.options.group_v6->port = 99;
    EXPECT_EQ(run(20 * millisecond).size(), 4u);
    announcer.send_hello(v6(7), no_socket);
    EXPECT_EQ(run(30 * millisecond), Lines{"20 h1"});
    EXPECT_EQ(last.ip, v6(7).ip);
    EXPECT_EQ(last.port, 99);
    announcer.send_alive(other_address, 1);
    EXPECT_EQ(run(40 * millisecond), Lines{"30 a0"}) << "on a link of its family";
    announcer.remove(1);
    announcer.send_hello(v6(7), 1);
    EXPECT_EQ(run(50 * millisecond), Lines{}) << "there is none";
}

TEST_F(DevicesAnnouncer, the_queue_of_adverts_is_bounded_and_drops_are_counted) {
    announcer.add(0, 0, own_address);
    for (std::size_t i = 0; i < limits::devices_adverts_queued_max + 10; ++i) announcer.send_hello(other_address, 0);
    EXPECT_EQ(context.counts.adverts_unsent, 11u);
}

}  // namespace
}  // namespace ringpost::devices
