// Handshakes over a link that loses 30 % of the datagrams in each direction, in bursts of three on average.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"
#include "tests/unit/codec/native/handshake_pair.hpp"

namespace ringpost::native {
namespace {

constexpr double loss_rate = 0.3, burst_datagrams = 3;
constexpr Duration one_way = 50 * millisecond;
constexpr Duration patience = 120 * second;

/// Two states, good and bad; every datagram of the bad one is lost.
class BurstyLink {
  public:
    bool loses(sim::Random& random) {
        const double to_good = 1 / burst_datagrams, to_bad = to_good * loss_rate / (1 - loss_rate);
        bad_ = bad_ ? !random.chance(to_good) : random.chance(to_bad);
        return bad_;
    }

  private:
    bool bad_ = false;
};

struct Flight {
    bool to_server;
    Bytes bytes;
};

/// Plays one handshake up to the confirming packet, which the client repeats each 100 ms as its first probe would be.
/// Returns its duration.
Duration play_lossy_handshake(std::uint64_t seed) {
    sim::Random random(seed);
    const auto pattern = crypto::all_patterns[seed % crypto::all_patterns.size()];
    const auto suite = seed % 3 == 0 ? crypto::Suite::chacha20_poly1305 : crypto::Suite::aes256_gcm;
    HandshakePair pair(pattern, suite, seed);
    pair.client_options.timeout = patience;
    // Every fourth server is under load.
    if (seed % 4 == 3) pair.server_options.handshakes_per_second = 0;
    pair.start();
    BurstyLink up, down;
    std::multimap<Instant, Flight> flights;
    std::optional<Established> client;
    std::uint64_t number = 0;
    Instant probe_at = never;
    const Instant begin = pair.now;
    const auto send = [&](bool to_server, Bytes bytes) {
        if (bytes.empty() || (to_server ? up : down).loses(random)) return;
        const Duration delay = one_way + static_cast<Duration>(random.below(10 * millisecond));
        flights.emplace(pair.now + delay, Flight{to_server, std::move(bytes)});
    };
    while (pair.now - begin < patience) {
        send(true, pair.init());
        if (client && pair.now >= probe_at) {
            send(true, short_packet(*client, number++, "hello"));
            probe_at = pair.now + 100 * millisecond;
        }
        Instant next = std::min(pair.client->expires_at(), probe_at);
        if (!flights.empty()) next = std::min(next, flights.begin()->first);
        pair.now = next;
        if (flights.empty() || flights.begin()->first > pair.now) continue;
        const Flight flight = std::move(flights.begin()->second);
        flights.erase(flights.begin());
        if (!flight.to_server) {
            if (pair.client->handle(pair.now, flight.bytes) && pair.client->state() == Initiator::State::established) {
                client = pair.client->take();
                probe_at = pair.now;
            }
        } else if (form_of(flight.bytes) == Form::short_packet) {
            if (pair.server->confirm(pair.now, flight.bytes)) return pair.now - begin;
        } else {
            send(false, pair.answer(flight.bytes));
        }
    }
    return patience;
}

TEST(HandshakeLoss, all_succeed_with_a_median_below_four_seconds) {
    std::vector<Duration> durations;
    sim::for_each_seed(1'000, [&](std::uint64_t seed) {
        durations.push_back(play_lossy_handshake(seed));
        EXPECT_LT(durations.back(), patience) << "never connected";
    });
    std::ranges::sort(durations);
    const auto at = [&](std::size_t permille) {
        return static_cast<double>(durations[(durations.size() - 1) * permille / 1'000]) / second;
    };
    const auto in_time = std::ranges::lower_bound(durations, limits::native_handshake_timeout) - durations.begin();
    std::printf("%zu handshakes: median %.2f s, p90 %.2f s, p99 %.2f s, max %.2f s; %td within the default timeout\n",
                durations.size(), at(500), at(900), at(990), at(1'000), in_time);
    EXPECT_LT(at(500), 4.0);
}

}  // namespace
}  // namespace ringpost::native
