#pragma once

// A client and a server of the native transport's handshake, with keys made from a seed.

#include <gtest/gtest.h>

#include <memory>

#include "codec/base/bytes.hpp"
#include "codec/native/initiator.hpp"
#include "codec/native/responder.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::native {

inline crypto::Key seeded_key(std::uint64_t seed) {
    crypto::Key key{};
    store_le(key.data(), seed);
    store_le(&key[8], seed * 0x9e37'79b9'7f4a'7c15);
    return key;
}

inline const Address handshake_client_address = Address::v4(192, 0, 2, 1, 40'000);

struct HandshakePair {
    explicit HandshakePair(crypto::Pattern pattern_of_both = crypto::Pattern::ik,
                           crypto::Suite suite_of_both = crypto::Suite::aes256_gcm, std::uint64_t seed = 1)
        : pattern(pattern_of_both),
          suite(suite_of_both),
          client_random(seeded_key(seed * 10)),
          server_random(seeded_key(seed * 10 + 1)),
          client_pair(crypto::key_pair_of(seeded_key(seed * 10 + 2))),
          server_pair(crypto::key_pair_of(seeded_key(seed * 10 + 3))),
          psk(seeded_key(seed * 10 + 4)) {
        server_options.patterns = {crypto::Pattern::nn_psk0, crypto::Pattern::nk, crypto::Pattern::ik,
                                   crypto::Pattern::ik_psk2};
        server_options.suites = {crypto::Suite::aes256_gcm, crypto::Suite::chacha20_poly1305, crypto::Suite::insecure};
        server_options.pair = server_pair;
        server_options.psk = psk;
        server_options.shard = 3;
        server_options.reset_secret = seeded_key(seed * 10 + 5);
        EXPECT_TRUE(server_options.parameters.set_application("server"));
        client_options.pattern = pattern;
        client_options.suite = suite;
        client_options.keys = {client_pair, server_pair.public_key, psk};
        client_options.local = {1,
                                {std::byte{9}, std::byte{8}, std::byte{7}, std::byte{6}, std::byte{5}, std::byte{4}}};
        client_options.reset_token.fill(std::byte{0x77});
        client_options.clock_ms = 1'000;
        EXPECT_TRUE(client_options.parameters.set_application("client"));
    }

    void start_server() { server = std::make_unique<Responder>(server_options, allow, server_random); }
    void start_client() { client = std::make_unique<Initiator>(client_options, client_random, now); }
    void start() {
        start_server();
        start_client();
    }

    /// What is due at the client; empty if nothing is.
    Bytes init() {
        Bytes out(init_bytes);
        out.resize(client->transmit(now, out));
        return out;
    }
    /// The server's answer to a datagram; empty if there is none.
    Bytes answer(std::span<const std::byte> datagram, const Address& source = handshake_client_address) {
        Bytes out(response_bytes_max);
        out.resize(server->handle(now, source, datagram, out));
        return out;
    }
    /// The whole handshake; the client's side of it.
    Established connected() {
        EXPECT_TRUE(client->handle(now, answer(init())));
        return client->take();
    }

    crypto::Pattern pattern;
    crypto::Suite suite;
    crypto::RandomStream client_random, server_random;
    crypto::KeyPair client_pair, server_pair;
    crypto::Key psk;
    InitiatorOptions client_options;
    ResponderOptions server_options;
    const crypto::AllowList* allow = nullptr;
    Instant now = 1'000 * second;
    std::unique_ptr<Initiator> client;
    std::unique_ptr<Responder> server;
};

/// A short packet of one side, with a text in place of frames.
inline Bytes short_packet(Established& from, std::uint64_t number, std::string_view text) {
    Bytes packet(short_header_bytes);
    write_short_header(packet.data(), {from.remote, static_cast<std::uint32_t>(number), false, 5});
    const Bytes content = bytes_of(text);
    packet.insert(packet.end(), content.begin(), content.end());
    packet.resize(packet.size() + from.send.tag_bytes());
    from.send.seal(packet, short_header_bytes, number);
    return packet;
}

inline std::string opened(Established& to, Bytes packet) {
    const auto header = parse_short_header(packet);
    if (!header || header->id != to.local || !to.receive.open(packet, short_header_bytes, header->number)) return "?";
    return {reinterpret_cast<const char*>(&packet[short_header_bytes]),
            packet.size() - short_header_bytes - to.receive.tag_bytes()};
}

}  // namespace ringpost::native
