#pragma once

// The streams of UringBackend on the fake ring, with an oracle that compares the stream events with the requests and
// the state of the fake network.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "engine/os/address.hpp"
#include "engine/uring/uring_backend.hpp"
#include "tests/kernel/uring/fake_ring.hpp"

namespace ringpost::test {

inline std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class StreamWorld {
  public:
    using Kind = StreamRequest::Kind;

    /// The endpoint's view of a stream.
    struct Stream {
        std::shared_ptr<FakeStream> fake;  // null until a request has reached the kernel
        Address peer;
        bool established = false, writing = false, paused = false;
        std::string written, received, sent;  // written by the endpoint, received by it, sent by the peer
    };

    StreamWorld() {
        new_fake_kernel();
        backend = UringBackend::open({}).value();
        EXPECT_TRUE(backend->listen(StreamListener::open({}).value()));
    }

    FakeStreams& net() { return fake_kernel().streams; }
    StreamScript& script() { return net().script; }

    // ---- the network
    void arrive() {
        auto stream = std::make_shared<FakeStream>();
        stream->peer = next_peer();
        net().backlog.push_back(std::move(stream));
    }
    void send(Stream& from, std::size_t bytes) {
        if (!from.fake || !from.fake->established || from.fake->ended) return;
        const std::string_view text = stretch(from.sent.size(), bytes);
        from.sent += text;
        from.fake->incoming += text;
    }
    static void end(Stream& stream, int error) {
        if (!stream.fake || !stream.fake->established || stream.fake->ended) return;
        stream.fake->ended = true;
        stream.fake->broken = error;
    }

    // ---- the endpoint
    StreamIndex connect() {
        StreamIndex index = free_index();
        streams[index].peer = next_peer();
        StreamRequest request;
        request.kind = Kind::connect;
        request.stream = index;
        request.peer = streams[index].peer;
        post(request);
        return index;
    }
    void write(StreamIndex index, std::size_t bytes) {
        Stream& to = streams.at(index);
        if (!to.established || to.writing) return;
        const auto out = backend->stream_buffer();
        const std::string_view text = stretch(to.written.size() + 77, bytes);
        std::memcpy(out.data(), text.data(), bytes);
        to.written += text;
        to.writing = true;
        StreamRequest request;
        request.stream = index;
        request.bytes = bytes;
        post(request);
    }
    void request(Kind kind, StreamIndex index) {
        StreamRequest request;
        request.kind = kind;
        request.stream = index;
        streams.at(index).paused = kind == Kind::pause;
        if (kind == Kind::close) forget(index);
        post(request);
    }

    void turn(Duration sleep) {
        backend->enter(sleep);
        backend->reap();
        for (const StreamEvent& event : backend->stream_events()) {
            if (event.accepted)
                accept(event);
            else
                handle(event.input);
        }
    }

    /// Disables failures and runs until everything pending has completed.
    void settle() {
        const bool multishot = script().multishot;
        script() = StreamScript{};
        script().multishot = multishot;
        for (auto& [index, stream] : std::map(streams))
            if (stream.paused) request(Kind::resume, index);
        for (int i = 0; i < 1'000 && !settled(); ++i) turn(i % 4 == 0 ? 0 : Duration{50});
        turn(0);
        EXPECT_TRUE(settled());
    }

    /// Call after settle().
    void verify() {
        for (auto& [index, stream] : streams) {
            EXPECT_TRUE(stream.established);
            EXPECT_EQ(stream.received, stream.sent) << index;
            EXPECT_EQ(stream.fake->taken, stream.written) << index;
        }
        EXPECT_FALSE(backend->sending());
        for (const auto& [index, stream] : std::map(streams)) request(Kind::close, index);
        for (int i = 0; i < 12; ++i) turn(0);
        EXPECT_EQ(backend->in_flight(), 2u) << "the waker's poll and the accept";
        EXPECT_EQ(net().pending(), 1u);
        EXPECT_EQ(net().descriptors(), 0u);
        EXPECT_EQ(fake_kernel().buffers_offered(1), 64u) << "a provided buffer was not recycled";
        for (const auto& [peer, stream] : net().by_peer) EXPECT_EQ(stream->descriptors, 0u);
    }

    std::unique_ptr<UringBackend> backend;
    std::map<StreamIndex, Stream> streams;
    std::map<StreamEnd, std::size_t> ends;
    std::size_t refusals_left = 0;

  private:
    /// The content of a stream from offset `at` on: random, so that a wrong offset is detected.
    static std::string_view stretch(std::size_t at, std::size_t bytes) {
        static const std::string all = [] {
            std::mt19937 random(1);
            std::string out(1u << 20, 0);
            for (char& each : out) each = static_cast<char>(random());
            return out;
        }();
        return std::string_view(all).substr(at % (all.size() / 2), bytes);
    }
    Address next_peer() {
        const std::uint32_t number = ++peers_;
        return Address::v4(10, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number), 7);
    }
    StreamIndex free_index() {
        StreamIndex index = 0;
        while (streams.contains(index)) ++index;
        streams[index] = Stream{};
        return index;
    }
    bool settled() {
        for (auto& [index, stream] : streams)
            if (!stream.established || stream.writing || stream.received != stream.sent || stream.fake->ended)
                return false;
        return net().backlog.empty();
    }
    void post(const StreamRequest& request) {
        if (const auto input = backend->post(request)) handle(*input);
    }
    void accept(const StreamEvent& event) {
        if (refusals_left > 0) {
            --refusals_left;
            return backend->answer(event, std::nullopt);
        }
        const StreamIndex index = free_index();
        Stream& stream = streams[index];
        stream.established = true;
        stream.peer = event.peer;
        stream.fake = net().by_peer.at(to_text(event.peer));
        backend->answer(event, index);
    }
    void handle(const StreamInput& input) {
        ASSERT_TRUE(streams.contains(input.stream)) << "input for an unused stream index";
        Stream& stream = streams[input.stream];
        switch (input.kind) {
            case StreamInput::Kind::connected:
                EXPECT_FALSE(stream.established);
                stream.fake = net().by_peer.at(to_text(stream.peer));
                EXPECT_TRUE(stream.fake->established);
                stream.established = true;
                break;
            case StreamInput::Kind::bytes:
                EXPECT_TRUE(stream.established && !input.bytes.empty());
                EXPECT_EQ(stream.sent.compare(stream.received.size(), input.bytes.size(), text_of(input.bytes)), 0)
                    << "bytes of another stream, or out of order";
                stream.received += text_of(input.bytes);
                break;
            case StreamInput::Kind::written:
                EXPECT_TRUE(stream.writing);
                EXPECT_EQ(stream.fake->taken, stream.written);
                stream.writing = false;
                break;
            case StreamInput::Kind::closed:
                EXPECT_TRUE(!stream.established || stream.fake->ended || stream.fake->refused)
                    << "closed without cause";
                EXPECT_TRUE(input.end != StreamEnd::finished || stream.received == stream.sent);
                ++ends[input.end];
                forget(input.stream);
                break;
        }
    }
    void forget(StreamIndex index) {
        const Stream& stream = streams[index];
        EXPECT_TRUE(!stream.fake || stream.written.starts_with(stream.fake->taken));
        streams.erase(index);
    }

    std::uint32_t peers_ = 0;
};

}  // namespace ringpost::test
