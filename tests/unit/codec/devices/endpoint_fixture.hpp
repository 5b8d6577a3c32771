#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "codec/devices/endpoint.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::devices {

using Kind = Event::Kind;
using Request = StreamRequest::Kind;
using Input = StreamInput::Kind;

inline const Address own = Address::v4(10, 0, 0, 1, 3'235);

inline Address at(unsigned host, std::uint16_t port = 3'235) {
    return Address::v4(10, 0, 0, static_cast<std::uint8_t>(host), port);
}

/// Requests to the driver and events of the endpoint `m`.
struct Wanted {
    StreamRequest request;
    std::string text;
};

/// The endpoint `m` with a scripted driver.
struct DevicesEndpoint : testing::Test {
    static Options options() {
        Options out;
        out.name = "m";
        out.streams_max = 2'048;
        return out;
    }

    DevicesEndpoint() { endpoint.add_interface(now, 0, own); }

    void advert(const std::string& text, const Address& from, SocketIndex socket = 0) {
        endpoint.handle(now, Datagram{from, socket, bytes_of(text)});
    }
    void input(StreamIndex stream, std::string_view text) {
        const Bytes bytes = bytes_of(text);
        endpoint.handle(now, StreamInput{.kind = Input::bytes, .stream = stream, .bytes = bytes});
    }
    void input(StreamIndex stream, Input kind, StreamEnd end = StreamEnd::finished) {
        endpoint.handle(now, StreamInput{.kind = kind, .stream = stream, .bytes = {}, .end = end});
    }
    std::vector<Wanted> requests() {
        std::vector<Wanted> out;
        while (const auto request = endpoint.poll_stream(now, buffer))
            out.push_back({*request, {reinterpret_cast<const char*>(buffer.data()), request->bytes}});
        return out;
    }
    /// Everything written; each write completes at once.
    std::string written() {
        std::string out;
        for (bool more = true; more;) {
            more = false;
            for (const Wanted& asked : requests()) {
                if (asked.request.kind != Request::write) continue;
                out += asked.text;
                input(asked.request.stream, Input::written);
                more = true;
            }
        }
        return out;
    }
    bool is_closed(StreamIndex stream) {
        const auto all = requests();
        return std::ranges::any_of(all, [&](const Wanted& asked) {
            return asked.request.kind == Request::close && asked.request.stream == stream;
        });
    }
    std::vector<std::string> events() {
        std::vector<std::string> out;
        while (const auto event = endpoint.poll_event()) {
            constexpr const char* kinds[] = {"message ",      "question ", "answers ",  "appeared ",   "suspect ",
                                             "back ",         "gone ",     "conflict ", "name_taken ", "connected ",
                                             "disconnected ", "room ",     "rejoin "};
            last_question = event->kind == Kind::question ? event->question : last_question;
            out.push_back(kinds[static_cast<std::size_t>(event->kind)] + std::string(event->name) +
                          (event->text.empty() ? "" : " " + std::string(event->text)));
        }
        return out;
    }
    using Lines = std::vector<std::string>;

    enum class PeerKind : std::uint8_t { ringpost, compatible };
    /// A peer that has connected and sent its name and, if it runs ringpost, a ping.
    StreamIndex connected(const std::string& name, unsigned host, PeerKind kind = PeerKind::ringpost) {
        const StreamIndex stream = *endpoint.accept(now, at(host, 40'000));
        input(stream, name + (kind == PeerKind::ringpost ? "/EOLPiNg/EOL" : "/EOL"));
        written();
        events();
        now += 100 * millisecond;
        return stream;
    }
    void pass(Duration duration) {
        const Instant until = now + duration;
        while (const auto due = endpoint.poll_timeout()) {
            if (*due > until) break;
            now = std::max(now, *due);
            endpoint.handle_timeout(now);
        }
        now = until;
    }
    std::uint64_t ended(Cause cause) { return endpoint.counters().ended[static_cast<std::size_t>(cause)]; }

    Endpoint endpoint{options()};
    Instant now = 0;
    Bytes buffer = Bytes(limits::stream_write_bytes_max);
    QuestionId last_question;
};

}  // namespace ringpost::devices
