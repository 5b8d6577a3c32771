#pragma once

// Shared by the tests of the confirmed-message endpoint.

#include <gtest/gtest.h>

#include <map>

#include "codec/confirmed/endpoint.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::confirmed {

inline constexpr Instant start = 3 * second;
inline const Address alice = Address::v4(10, 0, 0, 1, 5'005);
inline const Address bob = Address::v4(10, 0, 0, 2, 5'005);

/// Another socket of the same host, used only for sending, as in other implementations.
inline Address elsewhere(Address address, std::uint16_t port = 40'000) {
    address.port = port;
    return address;
}

inline Options options_toward(const Address& target) {
    Options options;
    options.target = target;
    options.start = start;
    return options;
}

inline Value text_value(std::string_view text) { return Value::of_text(text).value(); }
inline Bytes datagram_of(std::string_view text, Status status) { return bytes_of(encode({text_value(text), status})); }

/// An endpoint with a minimal driver.
class Turning {
  public:
    explicit Turning(const Options& options) : endpoint(options), now(options.start) {}

    std::expected<SendNumber, Refused> send(std::string_view text, const SendOptions& how = {}) {
        return endpoint.send(now, text, how);
    }
    void receive(const Address& source, std::string_view text, Status status) {
        endpoint.handle(now, {source, 0, datagram_of(text, status)});
    }
    void receive_raw(const Address& source, std::string_view bytes) {
        endpoint.handle(now, {source, 0, bytes_of(bytes)});
    }

    /// Everything sent now, as `PORT or IP's last byte:TEXT`.
    std::vector<std::string> turn() {
        if (const auto due = endpoint.poll_timeout(); due && *due <= now) endpoint.handle_timeout(now);
        std::vector<std::string> out;
        for (const Sent& sent : outbox.drain(endpoint, now)) {
            const Frame frame = decode(sent.bytes).value();
            out.push_back(std::to_string(sent.transmit.destination.ip[15]) + ":" +
                          std::to_string(sent.transmit.destination.port) + " " + mark(frame.status) +
                          frame.message.text());
        }
        return out;
    }
    /// The same after the time has advanced.
    std::vector<std::string> turn_after(Duration duration) {
        now += duration;
        return turn();
    }

    /// All events, as text.
    std::vector<std::string> events() {
        std::vector<std::string> out;
        while (const auto event = endpoint.poll_event()) out.push_back(text_of(*event));
        return out;
    }
    static std::string text_of(const Event& event) {
        if (event.kind == Event::Kind::target) return "target " + std::to_string(event.peer.port);
        if (event.kind == Event::Kind::message) return "message " + mark(event.status) + event.message.text();
        const std::string number = std::to_string(event.number) + " ";
        switch (event.outcome) {
            case Outcome::confirmed: return number + "confirmed " + event.message.text();
            case Outcome::failed: return number + "failed " + event.message.text();
            case Outcome::timed_out: return number + (event.was_sent ? "timed out" : "timed out waiting");
            case Outcome::reported: break;
        }
        return number + "reported";
    }
    static std::string mark(Status status) { return status == Status::none ? "" : status == Status::ok ? "+" : "-"; }

    Endpoint endpoint;
    Instant now;
    Outbox outbox;
};

using Texts = std::vector<std::string>;

}  // namespace ringpost::confirmed
