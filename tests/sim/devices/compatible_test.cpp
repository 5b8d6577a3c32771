// A peer that behaves like the format's original program: it reads at most 512 bytes at once and discards what follows
// a terminator in the same read. Everything sent to it must still arrive.

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/devices/play.hpp"

namespace ringpost::sim {
namespace {

using devices::Reply;
using devices::Sent;
using Kind = devices::Event::Kind;

/// Written from the format description alone, independent of the code under test.
class ReferencePeer {
  public:
    struct Event {};

    ReferencePeer(std::string name, const Address& group) : name_(std::move(name)), group_(group) {}

    void handle(Instant now, const Datagram& in) {
        const std::string text = text_of(in.bytes);
        const std::string name = text.substr(text.find(":,:") + 3);
        if (name == name_ || peers_.contains(name)) return;
        peers_[name] = in.source;
        alive_at_ = now;
        if (name_ < name) connect_.push_back(in.source);
    }
    void handle_timeout(Instant now) {
        if (now < alive_at_) return;
        alive_at_ = now + 30 * second;
        adverts_.push_back("alive:,:" + name_);
    }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        if (!started_) {
            started_ = true;
            adverts_.push_back("hello:,:" + name_);
            alive_at_ = now + 20 * millisecond;
        }
        if (adverts_.empty()) return std::nullopt;
        const std::size_t bytes = put(adverts_.front(), out);
        adverts_.pop_front();
        return Transmit{.destination = group_, .socket = 0, .bytes = bytes, .segment_bytes = bytes};
    }
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return alive_at_; }

    std::optional<StreamIndex> accept(Instant, const Address&) {
        queue_frame(streams_, name_);
        return streams_++;
    }
    void handle(Instant, const StreamInput& in) {
        switch (in.kind) {
            case StreamInput::Kind::connected: queue_frame(in.stream, name_); break;
            case StreamInput::Kind::written: writing_[in.stream] = false; break;
            case StreamInput::Kind::closed: ++closed; break;
            case StreamInput::Kind::bytes:
                for (std::size_t at = 0; at < in.bytes.size(); at += 512)
                    read(in.stream, text_of(in.bytes).substr(at, 512));
        }
    }
    std::optional<StreamRequest> poll_stream(Instant, std::span<std::byte> out) {
        if (!connect_.empty()) {
            Address peer = connect_.front();
            connect_.pop_front();
            peer.port = 4'112;
            return StreamRequest{StreamRequest::Kind::connect, streams_++, peer, 0};
        }
        for (auto& [stream, frames] : frames_) {
            if (frames.empty() || writing_[stream]) continue;
            writing_[stream] = true;
            const std::size_t bytes = put(frames.front(), out);
            frames.pop_front();
            return StreamRequest{StreamRequest::Kind::write, stream, {}, bytes};
        }
        return std::nullopt;
    }

    void queue_frame(StreamIndex stream, const std::string& frame) { frames_[stream].push_back(frame + "/EOL"); }

    std::vector<std::string> received;  ///< frames other than names
    std::vector<std::string> names;     ///< first frames
    std::size_t dropped = 0;            ///< reads with bytes behind a terminator, except for the greeting
    std::size_t closed = 0;
    StreamIndex last_stream = 0;

  private:
    static std::string text_of(std::span<const std::byte> bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    static std::size_t put(const std::string& text, std::span<std::byte> out) {
        std::ranges::copy(std::as_bytes(std::span(text)), out.begin());
        return text.size();
    }

    void read(StreamIndex stream, const std::string& bytes) {
        last_stream = stream;
        std::string& partial = partial_[stream];
        partial += bytes;
        const std::size_t end = partial.find("/EOL");
        if (end == std::string::npos) return;
        const std::string frame = partial.substr(0, end);
        const bool first = !named_[stream];
        named_[stream] = true;
        dropped += !first && partial.size() > end + 4;
        partial.clear();
        (first ? names : received).push_back(frame);
        if (frame.starts_with("QuEsTiOn:,:")) {
            const std::size_t key = 11, text = frame.find(":,:", key);
            queue_frame(stream, "AnSwEr:,:" + frame.substr(key, text - key) + ":,:to " + frame.substr(text + 3));
        }
    }

    std::string name_;
    Address group_;
    bool started_ = false;
    Instant alive_at_ = never;
    std::deque<std::string> adverts_;
    std::map<std::string, Address> peers_;
    std::deque<Address> connect_;
    StreamIndex streams_ = 0;
    std::map<StreamIndex, std::deque<std::string>> frames_;
    std::map<StreamIndex, std::string> partial_;
    std::map<StreamIndex, bool> writing_, named_;
};

/// Named `a` or `z`, with our device named `m`, so that either side opens.
class DevicesCompatible : public testing::TestWithParam<const char*> {
  protected:
    DevicesCompatible() {
        play.network.add(Address::v4(10, 0, 0, 50, 3'235), peer);
        play.start(0, {}, "m");
        play.run_for(second);
    }

    std::string name = GetParam();
    ReferencePeer peer{name, devices::default_group};
    DevicesPlay play{1, 1};
};

TEST_P(DevicesCompatible, is_found_and_not_taken_for_ringpost) {
    ASSERT_NE(play.peer(0, name), nullptr);
    EXPECT_TRUE(play.peer(0, name)->connected);
    EXPECT_FALSE(play.peer(0, name)->is_ringpost);
    EXPECT_EQ(peer.names, std::vector<std::string>{"m"});
    play.run_for(100 * second);
    EXPECT_TRUE(play.peer(0, name)->connected);
    EXPECT_TRUE(peer.received.empty()) << "the ping behind our name is discarded with the read";
    EXPECT_EQ(peer.closed, 0u);
}

TEST_P(DevicesCompatible, everything_sent_at_once_arrives) {
    std::vector<std::string> sent;
    for (int i = 0; i < 200; ++i) {
        const std::string text = std::to_string(i) + std::string(static_cast<std::size_t>(i), 'x');
        ASSERT_EQ(play.send(0, name, text), Sent::queued);
        sent.push_back("MeSsAgE:,:" + text);
    }
    play.run_for(200 * 20 * millisecond + second);
    EXPECT_EQ(peer.received, sent);
    EXPECT_EQ(peer.dropped, 0u);
}

TEST_P(DevicesCompatible, frames_it_cannot_read_are_refused) {
    EXPECT_EQ(play.send(0, name, std::string(498, 'x')), Sent::queued);  // 512 bytes with MeSsAgE:,: and /EOL
    EXPECT_EQ(play.send(0, name, std::string(499, 'x')), Sent::too_large);
    play.run_for(second);
    ASSERT_EQ(peer.received.size(), 1u);
    EXPECT_EQ(peer.received[0].size(), 508u);
}

TEST_P(DevicesCompatible, an_answer_ends_the_gap_at_once) {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(play.ask(0, {name}, std::to_string(i), 10 * second));
    const Instant asked_at = play.network.now();
    play.run_for(10 * second);
    ASSERT_EQ(play.count(0, Kind::answers), 100u);
    for (const Reported& reported : play.reported(0)) {
        if (reported.kind != Kind::answers) continue;
        EXPECT_EQ(reported.answers[0].reply, Reply::answered);
        EXPECT_LE(reported.at - asked_at, 300 * millisecond) << "round trips of 2 ms each, not gaps of 20 ms";
    }
    EXPECT_EQ(peer.dropped, 0u);
    EXPECT_EQ(play[0].counters().answers_late, 0u);
}

TEST_P(DevicesCompatible, several_frames_sent_at_once_are_accepted) {
    for (int i = 0; i < 10; ++i) peer.queue_frame(peer.last_stream, "MeSsAgE:,:" + std::to_string(i));
    peer.queue_frame(peer.last_stream, "QuEsTiOn:,:4711:,:battery?");
    peer.queue_frame(peer.last_stream, "PiNg");
    play.on_event = [&](std::size_t, const Reported& reported) {
        if (reported.kind == Kind::question) play.answer(0, reported.question, "83 %");
    };
    play.network.wake(1);
    play.run_for(second);
    EXPECT_EQ(play.messages(0, name).size(), 10u);
    EXPECT_EQ(peer.received, std::vector<std::string>{"AnSwEr:,:4711:,:83 %"});
    EXPECT_EQ(play.count(0, Kind::rejoin), 1u);
    EXPECT_FALSE(play.peer(0, name)->is_ringpost);
    peer.queue_frame(peer.last_stream, "quitQUITquit");
    play.network.wake(1);
    play.run_for(second);
    EXPECT_EQ(play[0].peer_count(), 0u);
}

INSTANTIATE_TEST_SUITE_P(EitherOpens, DevicesCompatible, testing::Values("a", "z"));

}  // namespace
}  // namespace ringpost::sim
