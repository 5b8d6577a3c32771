#pragma once

// The streams of UringBackend on the fake ring, with an oracle: it knows what was asked and what the network had, and
// judges what is told.

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

    /// A stream as the endpoint knows it.
    struct Stream {
        std::shared_ptr<FakeStream> fake;  // none while no request has reached the kernel
        Address peer;
        bool stands = false, writing = false, paused = false;
        std::string asked, heard, sent;  // bytes of all writes, bytes told, bytes that the peer has sent
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
        if (!from.fake || !from.fake->stands || from.fake->ended) return;
        const std::string_view text = stretch(from.sent.size(), bytes);
        from.sent += text;
        from.fake->incoming += text;
    }
    static void end(Stream& stream, int error) {
        if (!stream.fake || !stream.fake->stands || stream.fake->ended) return;
        stream.fake->ended = true;
        stream.fake->broken = error;
    }

    // ---- the endpoint
    StreamIndex connect() {
        StreamIndex name = free_name();
        streams[name].peer = next_peer();
        StreamRequest request;
        request.kind = Kind::connect;
        request.stream = name;
        request.peer = streams[name].peer;
        post(request);
        return name;
    }
    void write(StreamIndex name, std::size_t bytes) {
        Stream& to = streams.at(name);
        if (!to.stands || to.writing) return;
        const auto out = backend->stream_buffer();
        const std::string_view text = stretch(to.asked.size() + 77, bytes);
        std::memcpy(out.data(), text.data(), bytes);
        to.asked += text;
        to.writing = true;
        StreamRequest request;
        request.stream = name;
        request.bytes = bytes;
        post(request);
    }
    void ask(Kind kind, StreamIndex name) {
        StreamRequest request;
        request.kind = kind;
        request.stream = name;
        streams.at(name).paused = kind == Kind::pause;
        if (kind == Kind::close) forget(name);
        post(request);
    }

    void turn(Duration sleep) {
        backend->enter(sleep);
        backend->reap();
        for (const StreamEvent& event : backend->stream_events()) {
            if (event.accepted)
                accept(event);
            else
                hear(event.input);
        }
    }

    /// From now on nothing goes wrong: all that was begun ends.
    void settle() {
        const bool multishot = script().multishot;
        script() = StreamScript{};
        script().multishot = multishot;
        for (auto& [name, stream] : std::map(streams))
            if (stream.paused) ask(Kind::resume, name);
        for (int i = 0; i < 1'000 && !settled(); ++i) turn(i % 4 == 0 ? 0 : Duration{50});
        turn(0);
        EXPECT_TRUE(settled());
    }

    /// After settle().
    void judge() {
        for (auto& [name, stream] : streams) {
            EXPECT_TRUE(stream.stands);
            EXPECT_EQ(stream.heard, stream.sent) << name;
            EXPECT_EQ(stream.fake->taken, stream.asked) << name;
        }
        EXPECT_FALSE(backend->sending());
        for (const auto& [name, stream] : std::map(streams)) ask(Kind::close, name);
        for (int i = 0; i < 12; ++i) turn(0);
        EXPECT_EQ(backend->in_flight(), 2u) << "the waker's poll and the accept";
        EXPECT_EQ(net().pending(), 1u);
        EXPECT_EQ(net().descriptors(), 0u);
        EXPECT_EQ(fake_kernel().buffers_offered(1), 64u) << "a provided buffer has not come back";
        for (const auto& [peer, stream] : net().by_peer) EXPECT_EQ(stream->descriptors, 0u);
    }

    std::unique_ptr<UringBackend> backend;
    std::map<StreamIndex, Stream> streams;
    std::map<StreamEnd, std::size_t> ends;
    std::size_t refusals_left = 0;

  private:
    /// What a stream carries from one place of it on: no two places close by look alike.
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
    StreamIndex free_name() {
        StreamIndex name = 0;
        while (streams.contains(name)) ++name;
        streams[name] = Stream{};
        return name;
    }
    bool settled() {
        for (auto& [name, stream] : streams)
            if (!stream.stands || stream.writing || stream.heard != stream.sent || stream.fake->ended) return false;
        return net().backlog.empty();
    }
    void post(const StreamRequest& request) {
        if (const auto input = backend->post(request)) hear(*input);
    }
    void accept(const StreamEvent& event) {
        if (refusals_left > 0) {
            --refusals_left;
            return backend->answer(event, std::nullopt);
        }
        const StreamIndex name = free_name();
        Stream& stream = streams[name];
        stream.stands = true;
        stream.peer = event.peer;
        stream.fake = net().by_peer.at(to_text(event.peer));
        backend->answer(event, name);
    }
    void hear(const StreamInput& input) {
        ASSERT_TRUE(streams.contains(input.stream)) << "told of a name that is not in use";
        Stream& stream = streams[input.stream];
        switch (input.kind) {
            case StreamInput::Kind::connected:
                EXPECT_FALSE(stream.stands);
                stream.fake = net().by_peer.at(to_text(stream.peer));
                EXPECT_TRUE(stream.fake->stands);
                stream.stands = true;
                break;
            case StreamInput::Kind::bytes:
                EXPECT_TRUE(stream.stands && !input.bytes.empty());
                EXPECT_EQ(stream.sent.compare(stream.heard.size(), input.bytes.size(), text_of(input.bytes)), 0)
                    << "of another stream, or out of order";
                stream.heard += text_of(input.bytes);
                break;
            case StreamInput::Kind::written:
                EXPECT_TRUE(stream.writing);
                EXPECT_EQ(stream.fake->taken, stream.asked);
                stream.writing = false;
                break;
            case StreamInput::Kind::closed:
                EXPECT_TRUE(!stream.stands || stream.fake->ended || stream.fake->refused) << "for no reason";
                EXPECT_TRUE(input.end != StreamEnd::finished || stream.heard == stream.sent);
                ++ends[input.end];
                forget(input.stream);
                break;
        }
    }
    void forget(StreamIndex name) {
        const Stream& stream = streams[name];
        EXPECT_TRUE(!stream.fake || stream.asked.starts_with(stream.fake->taken));
        streams.erase(name);
    }

    std::uint32_t peers_ = 0;
};

}  // namespace ringpost::test
