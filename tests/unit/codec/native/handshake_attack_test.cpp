// Handshakes that an attacker changes on the way, or floods. The figures that matter are printed.

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/codec/native/handshake_pair.hpp"

namespace ringpost::native {
namespace {

std::uint64_t sum_of(const InitiatorCounters& counters) {
    return counters.malformed + counters.foreign + counters.bad_mac + counters.not_authentic + counters.bad_parameters;
}

std::uint64_t sum_of(const ResponderCounters& counters) {
    return counters.malformed + counters.unknown_key + counters.bad_mac + counters.refused_pattern +
           counters.refused_suite + counters.not_authentic + counters.not_allowed + counters.replayed +
           counters.bad_parameters + counters.unconfirmed + counters.unknown_id;
}

/// Calls use(datagram) with each bit flipped, or every `step`th, with each shorter length, and some longer ones.
template <class Use>
void for_each_damage(const Bytes& datagram, Use&& use, std::size_t step = 1) {
    for (std::size_t bit = 0; bit < datagram.size() * 8; bit += step) {
        Bytes flipped = datagram;
        flipped[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        use(flipped, bit);
    }
    for (std::size_t size = 0; size < datagram.size(); ++size)
        use(Bytes(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(size)), size);
    for (const std::size_t more : {1u, 2u, 16u, 300u}) {
        Bytes longer = datagram;
        longer.resize(datagram.size() + more);
        use(longer, datagram.size() + more);
    }
}

TEST(HandshakeAttack, a_damaged_init_has_no_answer_and_no_effect) {
    for (const crypto::Pattern pattern : crypto::all_patterns) {
        HandshakePair pair(pattern);
        pair.start();
        const Bytes init = pair.init();
        std::uint64_t dropped = 0;
        for_each_damage(
            init,
            [&](const Bytes& damaged, std::size_t where) {
                ASSERT_TRUE(pair.answer(damaged).empty()) << where;
                ASSERT_EQ(sum_of(pair.server->counters()), ++dropped) << where;
                ASSERT_EQ(pair.server->half_open(), 0u) << where;
            },
            pattern == crypto::Pattern::ik ? 1 : 7);
        EXPECT_GT(pair.server->counters().bad_mac, 100u);
        EXPECT_TRUE(pair.client->handle(pair.now, pair.answer(init)));
    }
}

TEST(HandshakeAttack, a_damaged_response_has_no_effect) {
    for (const crypto::Pattern pattern : crypto::all_patterns) {
        for (const crypto::Suite suite : {crypto::Suite::aes256_gcm, crypto::Suite::chacha20_poly1305}) {
            if (suite == crypto::Suite::chacha20_poly1305 && pattern == crypto::Pattern::ik) continue;
            HandshakePair pair(pattern, suite);
            pair.start();
            const Bytes response = pair.answer(pair.init());
            std::uint64_t dropped = 0;
            const auto use = [&](const Bytes& damaged, std::size_t where) {
                ASSERT_FALSE(pair.client->handle(pair.now, damaged)) << where;
                ASSERT_EQ(sum_of(pair.client->counters()), ++dropped) << where;
                ASSERT_EQ(pair.client->state(), Initiator::State::waiting) << where;
                ASSERT_TRUE(pair.init().empty()) << where;
            };
            // Each flipped bit costs the client an X25519, so all are flipped with one pattern only.
            for_each_damage(response, use, pattern == crypto::Pattern::ik ? 1 : 13);
            EXPECT_TRUE(pair.client->handle(pair.now, response));
            Established client = pair.client->take();
            EXPECT_TRUE(pair.server->confirm(pair.now, short_packet(client, 0, "hello")));
        }
    }
}

TEST(HandshakeAttack, a_damaged_cookie_has_no_effect) {
    HandshakePair pair;
    pair.server_options.handshakes_per_second = 0;
    pair.start();
    const Bytes cookie = pair.answer(pair.init());
    ASSERT_EQ(cookie.size(), cookie_packet_bytes);
    std::uint64_t dropped = 0;
    for_each_damage(cookie, [&](const Bytes& damaged, std::size_t where) {
        ASSERT_FALSE(pair.client->handle(pair.now, damaged)) << where;
        ASSERT_EQ(sum_of(pair.client->counters()), ++dropped) << where;
        ASSERT_TRUE(pair.init().empty()) << where;
    });
    EXPECT_TRUE(pair.client->handle(pair.now, cookie));
    EXPECT_FALSE(pair.init().empty());
}

TEST(HandshakeAttack, a_damaged_short_packet_confirms_nothing) {
    for (const crypto::Suite suite :
         {crypto::Suite::aes256_gcm, crypto::Suite::chacha20_poly1305, crypto::Suite::insecure}) {
        HandshakePair pair(crypto::Pattern::ik, suite);
        pair.start();
        Established client = pair.connected();
        const Bytes packet = short_packet(client, 0, "hello");
        std::uint64_t dropped = 0;
        for_each_damage(packet, [&](const Bytes& damaged, std::size_t where) {
            ASSERT_FALSE(pair.server->confirm(pair.now, damaged)) << where;
            ASSERT_EQ(sum_of(pair.server->counters()), ++dropped) << where;
        });
        EXPECT_TRUE(pair.server->confirm(pair.now, packet));
    }
}

std::uint64_t environment_or(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Inits as a flooder makes them, each from an address of its own.
class Flooder {
  public:
    enum Form : std::uint8_t {
        random_bytes_of_its_size,
        copy_of_a_real_one,
        copy_with_another_ephemeral_key,
        own_handshake,
        own_handshake_with_a_made_up_cookie,
        another_version,
        too_short,
        forms
    };

    explicit Flooder(HandshakePair& pair) : pair_(pair), random_(7) {
        pair_.start_client();
        captured_ = pair_.init();
        for (int i = 0; i < 64; ++i) {
            pair_.start_client();
            own_.push_back(pair_.init());
        }
    }

    Bytes next(std::uint64_t number) {
        const MacKey key = mac_key_of_public(pair_.server_pair.public_key);
        const auto form = static_cast<Form>(number % forms);
        Bytes out = form == copy_of_a_real_one ? captured_ : own_[number / forms % own_.size()];
        if (form == random_bytes_of_its_size) out = random_bytes(random_, init_bytes);
        // It knows the public key, so its macs hold.
        if (form == copy_with_another_ephemeral_key) store_le(&out[58], random_());
        if (form == own_handshake_with_a_made_up_cookie) store_le(&out[24], random_());
        if (form == another_version) out[1] = std::byte{9};
        if (form == too_short) out.resize(1'000);
        const auto parsed = parse_long(out);
        const auto* const init = parsed ? std::get_if<InitPacket>(&*parsed) : nullptr;
        if (init != nullptr) write_mac(out, mac_of(key, out, init->noise));
        return out;
    }

    Address source(std::uint64_t number) const {
        return Address::v4(10, static_cast<std::uint8_t>(number >> 16), static_cast<std::uint8_t>(number >> 8),
                           static_cast<std::uint8_t>(number), static_cast<std::uint16_t>(1'024 + number % 60'000));
    }

  private:
    HandshakePair& pair_;
    Random random_;
    Bytes captured_;
    std::vector<Bytes> own_;
};

// RINGPOST_SPOOFED=1000000 for the full number.
TEST(HandshakeAttack, a_flood_of_spoofed_inits_is_not_amplified_and_lets_clients_in) {
    const std::uint64_t count = environment_or("RINGPOST_SPOOFED", 20'000);
    HandshakePair flooding, real(crypto::Pattern::ik, crypto::Suite::aes256_gcm, 1);
    flooding.server_options.handshakes_per_second = real.server_options.handshakes_per_second = 100;
    Flooder flooder(flooding);
    real.start_server();
    real.client_options.clock_ms = 50'000;

    constexpr Duration flood_interval = 10 * microsecond;  // 100,000 a second
    constexpr Duration one_way = 20 * millisecond;
    std::uint64_t bytes_in = 0, bytes_out = 0, answers = 0;
    std::uint32_t half_open_max = 0;
    // The real client begins in the middle of the flood; what it sends and gets takes 20 ms.
    const Instant begin = real.now, client_begins = begin + static_cast<Duration>(count) / 4 * flood_interval;
    std::vector<std::pair<Instant, Bytes>> to_server, to_client;
    std::optional<Instant> connected_at;
    const auto turn = [&] {
        if (real.now < client_begins || connected_at) return;
        if (!real.client) real.start_client();
        if (Bytes init = real.init(); !init.empty()) to_server.emplace_back(real.now + one_way, std::move(init));
        if (!to_server.empty() && to_server.front().first <= real.now) {
            to_client.emplace_back(real.now + one_way, real.answer(to_server.front().second));
            to_server.erase(to_server.begin());
        }
        if (!to_client.empty() && to_client.front().first <= real.now) {
            const Bytes answer = to_client.front().second;
            to_client.erase(to_client.begin());
            if (real.client->handle(real.now, answer) && real.client->state() == Initiator::State::established)
                connected_at = real.now;
        }
    };
    for (std::uint64_t number = 0; number < count; ++number) {
        const Bytes init = flooder.next(number);
        const Bytes answer = real.answer(init, flooder.source(number));
        bytes_in += init.size();
        bytes_out += answer.size();
        answers += answer.empty() ? 0 : 1;
        ASSERT_LE(answer.size() * 4, init.size());
        half_open_max = std::max(half_open_max, real.server->half_open());
        turn();
        real.now += flood_interval;
    }
    std::printf("%llu spoofed Inits: %llu bytes in, %llu bytes out (%.3f), %llu answers, %u half open at most\n",
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(bytes_in),
                static_cast<unsigned long long>(bytes_out),
                static_cast<double>(bytes_out) / static_cast<double>(bytes_in),
                static_cast<unsigned long long>(answers), half_open_max);
    EXPECT_LE(bytes_out * 4, bytes_in);
    EXPECT_LE(half_open_max, limits::native_half_open_max);
    ASSERT_TRUE(connected_at) << "the client is still waiting";
    std::printf("a client that began in the flood was connected after %lld ms\n",
                static_cast<long long>((*connected_at - client_begins) / millisecond));
    EXPECT_LT(*connected_at - client_begins, 3 * second);
    Established client = real.client->take();
    EXPECT_TRUE(real.server->confirm(real.now, short_packet(client, 0, "hello")));
    EXPECT_GT(real.server->counters().cookies_sent, 0u);
}

}  // namespace
}  // namespace ringpost::native
