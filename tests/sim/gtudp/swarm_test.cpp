// gtUDP under random disturbances, thousands of times.

#include "tests/sim/gtudp/swarm.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

struct NamedCount {
    const char* name;
    std::uint64_t gtudp::Counters::* count;
};
#define RINGPOST_NAMED(name) \
    NamedCount { #name, &gtudp::Counters::name }
/// All except identities_skipped, which takes 2^32 sends.
constexpr NamedCount named_counts[] = {RINGPOST_NAMED(taken),
                                       RINGPOST_NAMED(confirmed),
                                       RINGPOST_NAMED(gave_up_attempts),
                                       RINGPOST_NAMED(gave_up_deadline),
                                       RINGPOST_NAMED(cancelled),
                                       RINGPOST_NAMED(refused_too_large),
                                       RINGPOST_NAMED(refused_table_full),
                                       RINGPOST_NAMED(refused_peer_full),
                                       RINGPOST_NAMED(refused_peers_full),
                                       RINGPOST_NAMED(refused_not_ready),
                                       RINGPOST_NAMED(data_sent),
                                       RINGPOST_NAMED(data_resent),
                                       RINGPOST_NAMED(recv_sent),
                                       RINGPOST_NAMED(recv_resent),
                                       RINGPOST_NAMED(ack_sent),
                                       RINGPOST_NAMED(ack_unknown_sent),
                                       RINGPOST_NAMED(raw_sent),
                                       RINGPOST_NAMED(data_received),
                                       RINGPOST_NAMED(recv_received),
                                       RINGPOST_NAMED(ack_received),
                                       RINGPOST_NAMED(foreign),
                                       RINGPOST_NAMED(delivered),
                                       RINGPOST_NAMED(duplicates),
                                       RINGPOST_NAMED(app_behind),
                                       RINGPOST_NAMED(receives_full),
                                       RINGPOST_NAMED(receives_peer_full),
                                       RINGPOST_NAMED(peers_full),
                                       RINGPOST_NAMED(ack_unknown),
                                       RINGPOST_NAMED(recv_unknown),
                                       RINGPOST_NAMED(ack_withheld),
                                       RINGPOST_NAMED(recv_withheld),
                                       RINGPOST_NAMED(recv_gave_up),
                                       RINGPOST_NAMED(forgotten_early),
                                       RINGPOST_NAMED(foreign_dropped),
                                       RINGPOST_NAMED(peers_forgotten)};
#undef RINGPOST_NAMED

// A sanitizer maps and poisons the tables of every new endpoint: a seed takes thirty times as long.
constexpr std::uint64_t swarms = address_sanitizer ? 600 : 6'000;

TEST(GtudpSwarm, no_message_is_lost_silently_or_delivered_twice) {
    std::map<std::string, std::uint64_t> sums;
    std::uint64_t played = 0, friendly = 0;
    for_each_seed(swarms, [&](std::uint64_t seed) {
        Swarm swarm(seed);
        SCOPED_TRACE(swarm.knobs().describe());
        swarm.play();
        ++played;
        friendly += swarm.knobs().friendly;
        for (const gtudp::Counters& counts : swarm.counters())
            for (const auto& [name, count] : named_counts) sums[name] += counts.*count;
    });
    print_messages(sums["delivered"]);
    if (played < 600) return;
    for (const auto& [name, sum] : sums) EXPECT_GT(sum, 0u) << "no swarm reached " << name;
    EXPECT_GT(friendly, played / 5);
    EXPECT_LT(friendly, played / 2);
}

TEST(GtudpSwarm, same_seed_gives_the_same_run) {
    const auto hash_of = [](std::uint64_t seed) {
        Swarm swarm(seed);
        SCOPED_TRACE(swarm.knobs().describe());
        swarm.play();
        return swarm.trace_hash();
    };
    for_each_seed(100, [&](std::uint64_t seed) { EXPECT_EQ(hash_of(seed), hash_of(seed)); });
}

}  // namespace
}  // namespace ringpost::sim
