#pragma once

// A gtUDP endpoint with a scripted driver and clock. Datagrams sent and events are described as text:
//
//     side.transmitted()  "bob DATA 7 hello, DATA 8 hi; alice ACK 3" (commas within a train, semicolons between)
//     side.event()        "message from bob: hello; 7 confirmed after 1"
//
// The identities of our own exchanges are described by the endpoint's counter: the offset of their peer is subtracted.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "codec/gtudp/endpoint.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::gtudp {

inline const Address alice = Address::v4(10, 0, 0, 1, 4'000);
inline const Address bob = Address::v4(10, 0, 0, 2, 4'000);
inline const Address carol = Address::v4(10, 0, 0, 3, 4'000);
inline const Address dave = Address::v4(10, 0, 0, 4, 4'000);

inline std::string name_of(const Address& address) {
    if (address == alice) return "alice";
    if (address == bob) return "bob";
    if (address == carol) return "carol";
    if (address == dave) return "dave";
    return "port " + std::to_string(address.port);
}

inline std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::string_view name_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::confirmed: return "confirmed";
        case Outcome::gave_up_attempts: return "gave up";
        case Outcome::gave_up_deadline: return "was late";
        case Outcome::cancelled: return "was cancelled";
    }
    return "?";
}

/// What an endpoint with this key adds to its counter for the identities of this peer.
inline Identity identity_offset(const SipKey& key, const Address& peer) {
    return static_cast<Identity>(siphash(key, std::as_bytes(std::span<const Address, 1>(&peer, 1))) >> 32);
}

/// Small tables, and identities starting at 7.
inline Options small_options() {
    Options options;
    options.sends_max = options.receives_max = 16;
    options.peers_max = 4;
    options.payload_bytes = 8'192;
    options.event_bytes = 4'096;
    options.first_identity = 7;
    options.key = {1, 2};
    return options;
}

/// The same with a fixed retransmission interval of 100 ms.
inline Options steady_options() {
    Options options = small_options();
    options.resending.fixed_interval = 100 * millisecond;
    return options;
}

inline Bytes frame(Kind kind, Identity identity, std::string_view data = {}, const Codec& codec = Codec()) {
    Bytes out(codec.header_bytes());
    codec.write_header(out.data(), kind, identity);
    const Bytes bytes = bytes_of(data);
    out.insert(out.end(), bytes.begin(), bytes.end());
    return out;
}

class Side {
  public:
    explicit Side(const Options& options) : endpoint(options), codec_(options.codec), key_(options.key) {}
    ~Side() { expect_counts_add_up(); }
    Side(const Side&) = delete;
    Side& operator=(const Side&) = delete;

    /// The exchange or the refusal.
    auto send(const Address& to, std::string_view data, Instant deadline = never) {
        return endpoint.send(now, to, bytes_of(data), deadline);
    }
    void receive(const Address& from, const Bytes& bytes) { endpoint.handle(now, {from, 0, bytes}); }
    void receive_data(const Address& from, Identity identity, std::string_view data = {}) {
        receive(from, frame(Kind::data, identity, data, codec_));
    }
    void receive_recv(const Address& from, Identity counted) {
        receive(from, frame(Kind::recv, identity_of(from, counted), {}, codec_));
    }
    void receive_ack(const Address& from, Identity identity) { receive(from, frame(Kind::ack, identity, {}, codec_)); }

    /// The identity on the wire of our exchange number `counted` with this peer.
    Identity identity_of(const Address& peer, Identity counted) const { return counted + identity_offset(key_, peer); }

    auto send_reply(const Address& to, std::string_view data) {
        return endpoint.send(now, to, bytes_of(data), never, Origin::reply);
    }

    std::string transmitted() {
        std::string out;
        while (const auto sent = outbox_.poll(endpoint, now)) {
            expect_contract(sent->transmit);
            out += (out.empty() ? "" : "; ") + name_of(sent->transmit.destination);
            const char* before = " ";
            for (const Bytes& datagram : sent->datagrams()) {
                out += before + describe(datagram, sent->transmit.destination);
                before = ", ";
            }
        }
        return out;
    }

    std::string event() {
        std::string out;
        while (const auto event = endpoint.poll_event()) out += (out.empty() ? "" : "; ") + describe(*event);
        return out;
    }

    /// Advances the time, then runs the timers.
    void at(Instant instant) {
        now = instant;
        endpoint.handle_timeout(now);
        EXPECT_GT(endpoint.poll_timeout().value_or(never), now) << "a driver would spin";
    }
    void after(Duration duration) { at(now + duration); }
    /// Advances until a timer has something to do. Returns the time passed. Allows a few early wake-ups.
    Duration after_timeout() {
        const Instant from = now;
        const auto due = endpoint.poll_timeout();
        EXPECT_TRUE(due);
        if (due) at(*due);
        return now - from;
    }

    Counters counters() const { return endpoint.counters(); }

    Endpoint endpoint;
    Instant now = 100 * second;

  private:
    static void expect_contract(const Transmit& transmit) {
        EXPECT_EQ(transmit.socket, 0u);
        EXPECT_LE(transmit.bytes, limits::datagram_bytes_max);
        EXPECT_LE(transmit.segment_bytes, transmit.bytes);
        EXPECT_LE(segment_count(transmit.bytes, transmit.segment_bytes), limits::train_segments_max);
    }

    std::string describe(const Bytes& datagram, const Address& to) const {
        const auto decoded = codec_.decode(datagram);
        if (!decoded) return "raw " + std::string(text_of(datagram));
        const Identity offset = decoded->kind == Kind::recv ? 0 : identity_offset(key_, to);
        const std::string identity = " " + std::to_string(decoded->identity - offset);
        switch (decoded->kind) {
            case Kind::data: return "DATA" + identity + " " + std::string(text_of(decoded->data));
            case Kind::recv: return "RECV" + identity;
            case Kind::ack: return "ACK" + identity;
        }
        return "?";
    }

    std::string describe(const Event& event) const {
        const std::string text(text_of(event.bytes));
        switch (event.kind) {
            case Event::Kind::message: return "message from " + name_of(event.peer) + ": " + text;
            case Event::Kind::foreign: return "foreign from " + name_of(event.peer) + ": " + text;
            case Event::Kind::outcome:
                return std::to_string(event.id.identity - identity_offset(key_, event.peer)) + " " +
                       std::string(name_of(event.outcome)) + " after " + std::to_string(event.sends);
        }
        return "?";
    }

    void expect_counts_add_up() const {
        const Counters c = counters();
        EXPECT_EQ(c.taken, c.confirmed + c.gave_up_attempts + c.gave_up_deadline + c.cancelled + endpoint.in_flight());
        EXPECT_EQ(c.data_received, c.delivered + c.duplicates + c.app_behind + c.receives_full + c.receives_peer_full +
                                       c.peers_full + c.corrupt);
        EXPECT_LE(c.data_resent, c.data_sent);
        EXPECT_LE(c.recv_resent, c.recv_sent);
        EXPECT_LE(c.foreign_dropped, c.foreign);
        EXPECT_EQ(c.recv_received, c.confirmed + c.recv_unknown);
    }

    Codec codec_;
    SipKey key_;
    Outbox outbox_;
};

/// Makes the peer verified by confirming a message. Leaves nothing else but counters.
inline void mark_verified(Side& side, const Address& peer) {
    const auto id = side.send(peer, "are you there?");
    ASSERT_TRUE(id);
    side.transmitted();
    side.receive(peer, frame(Kind::recv, id->identity));
    side.event();
    side.transmitted();
}

}  // namespace ringpost::gtudp
