#pragma once

// Shared by the stream tests: an endpoint controlled by the test, a loop that drives it on either backend, spinning and
// sleeping, and a peer with plain system calls.

#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "codec/base/check.hpp"
#include "codec/base/limits.hpp"
#include "engine/loop/loop.hpp"
#include "engine/tcp/stream_socket.hpp"
#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {

/// A StreamEndpoint controlled by the test. Verifies that the loop follows codec/include/ringpost/stream.hpp.
class Talker {
  public:
    struct Event {};
    struct Stream {
        bool established = false;  ///< accepted or connected, and not closed
        bool writing = false;      ///< a write is in progress
        bool paused = false;
        Address peer;               ///< if accepted
        std::string received;       ///< unless `counts_only`
        std::size_t bytes = 0;      ///< number of bytes received
        std::string outgoing;       ///< to be written
        std::size_t requested = 0;  ///< bytes of `outgoing` already passed to a write
        std::size_t writes = 0;     ///< number of `written` inputs
        std::optional<StreamEnd> end;
    };

    // ---- controls
    bool echoes = false;       ///< sends received bytes back; pauses the stream while `echo_max` are unsent
    bool counts_only = false;  ///< discards received bytes
    std::size_t accepts_max = limits::streams_max;
    std::size_t write_max = limits::stream_write_bytes_max;
    static constexpr std::size_t echo_max = 1u << 20;

    StreamIndex connect(const Address& peer) {
        // May reuse the index of a stream being closed: its close is requested first.
        const StreamIndex index = free_index(in_use_);
        queue_request(StreamRequest::Kind::connect, index).peer = peer;
        return index;
    }
    void close(StreamIndex index) {
        const bool connect_pending = std::ranges::any_of(requests_, [&](const StreamRequest& each) {
            return each.stream == index && each.kind == StreamRequest::Kind::connect;
        });
        std::erase_if(requests_, [&](const StreamRequest& each) {
            return each.stream == index && each.kind != StreamRequest::Kind::close;
        });
        in_use_.erase(index);
        if (!connect_pending) {
            queue_request(StreamRequest::Kind::close, index);
            closing_.insert(index);
        }
        streams[index].established = streams[index].writing = false;
        streams[index].outgoing.clear();
        streams[index].requested = 0;
    }
    void close_all() {
        for (const StreamIndex index : std::set<StreamIndex>(in_use_)) close(index);
    }
    bool at_rest() const { return in_use_.empty() && closing_.empty(); }
    void set_paused(StreamIndex index, bool paused) {
        streams[index].paused = paused;
        queue_request(paused ? StreamRequest::Kind::pause : StreamRequest::Kind::resume, index);
    }

    // ---- results
    std::map<StreamIndex, Stream> streams;
    std::vector<StreamIndex> accepted;  ///< in order
    std::size_t refused = 0;

    // ---- StreamEndpoint
    std::optional<StreamIndex> accept(Instant, const Address& peer) {
        if (in_use_.size() >= accepts_max) {
            ++refused;
            return std::nullopt;
        }
        std::set<StreamIndex> taken = in_use_;
        taken.insert(closing_.begin(), closing_.end());
        const StreamIndex index = free_index(taken);
        streams[index].established = true;
        streams[index].peer = peer;
        accepted.push_back(index);
        return index;
    }
    void handle(Instant, const Datagram&) {}
    void handle(Instant, const StreamInput& in) {
        if (closing_.contains(in.stream)) {
            // Its close request is still queued. If the stream has ended, the request is obsolete.
            if (in.kind != StreamInput::Kind::closed) return;
            closing_.erase(in.stream);
            requests_.erase(std::ranges::find(requests_, in.stream, &StreamRequest::stream));
            return;
        }
        ASSERT_TRUE(in_use_.contains(in.stream)) << "input for an unused stream index: " << in.stream;
        Stream& stream = streams[in.stream];
        switch (in.kind) {
            case StreamInput::Kind::connected:
                EXPECT_FALSE(stream.established);
                stream.established = true;
                break;
            case StreamInput::Kind::bytes: take(in.stream, in.bytes); break;
            case StreamInput::Kind::written:
                EXPECT_TRUE(stream.writing);
                stream.writing = false;
                ++stream.writes;
                break;
            case StreamInput::Kind::closed:
                stream.end = in.end;
                stream.established = stream.writing = false;
                stream.outgoing.clear();
                stream.requested = 0;
                in_use_.erase(in.stream);
                std::erase_if(requests_, [&](const StreamRequest& each) { return each.stream == in.stream; });
                break;
        }
    }
    void handle_timeout(Instant) {}
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Transmit> poll_transmit(Instant, std::span<std::byte>) { return std::nullopt; }
    std::optional<StreamRequest> poll_stream(Instant, std::span<std::byte> out) {
        EXPECT_EQ(out.size(), limits::stream_write_bytes_max);
        if (!requests_.empty()) {
            const StreamRequest request = requests_.front();
            requests_.pop_front();
            if (request.kind == StreamRequest::Kind::close) closing_.erase(request.stream);
            return request;
        }
        for (const StreamIndex index : in_use_) {
            Stream& stream = streams[index];
            const std::size_t left = stream.outgoing.size() - stream.requested;
            if (closing_.contains(index) || !stream.established || stream.writing || left == 0) continue;
            const std::size_t size = std::min({left, write_max, out.size()});
            std::memcpy(out.data(), stream.outgoing.data() + stream.requested, size);
            stream.requested += size;
            if (size == left) stream.outgoing.clear(), stream.requested = 0;
            stream.writing = true;
            if (echoes && stream.paused && left - size < echo_max) set_paused(index, false);
            StreamRequest request;
            request.stream = index;
            request.bytes = size;
            return request;
        }
        return std::nullopt;
    }
    std::optional<Instant> poll_timeout() const { return std::nullopt; }

  private:
    /// The lowest free index, so that indices are reused as early as possible.
    StreamIndex free_index(const std::set<StreamIndex>& taken) {
        StreamIndex index = 0;
        while (taken.contains(index)) ++index;
        in_use_.insert(index);
        streams[index] = Stream{};
        return index;
    }
    StreamRequest& queue_request(StreamRequest::Kind kind, StreamIndex index) {
        StreamRequest request;
        request.kind = kind;
        request.stream = index;
        return requests_.emplace_back(request);
    }
    void take(StreamIndex index, std::span<const std::byte> bytes) {
        Stream& stream = streams[index];
        EXPECT_TRUE(stream.established);
        ASSERT_FALSE(bytes.empty());
        stream.bytes += bytes.size();
        if (!counts_only) stream.received += text_of(bytes);
        if (!echoes) return;
        stream.outgoing += text_of(bytes);
        if (stream.outgoing.size() - stream.requested > echo_max && !stream.paused) set_paused(index, true);
    }

    std::set<StreamIndex> in_use_, closing_;
    std::deque<StreamRequest> requests_;
};

/// A loop with a Talker.
template <class Backend>
class TalkerLoop {
  public:
    explicit TalkerLoop(WaitMode mode) : loop_(Backend::open({}).value(), mode) {}

    Backend& backend() { return loop_.backend(); }

    /// Returns the bound address.
    Address listen(const Address& bind) {
        StreamListener listener = StreamListener::open(bind).value();
        const Address local = listener.local();
        EXPECT_TRUE(backend().listen(std::move(listener)));
        return local;
    }
    /// Runs turns until `done` returns true. False on timeout. Calls `done` once per turn and at least every `look`, so
    /// that it may also poll the peer.
    bool run_until(const std::function<bool()>& done, Duration look = millisecond) {
        Application application{done, now() + patience, look};
        for (; !application.over; ++turns) loop_.turn(talker, application);
        return !application.gave_up;
    }
    /// One Loop::run() that stops after one turn, including the final flush.
    void run() {
        struct {
            Loop<Backend>& loop;
            void on_event(Instant, const Talker::Event&) {}
            Instant on_turn(Instant) { return loop.stop(), never; }
        } application{loop_};
        loop_.run(talker, application);
    }
    /// Runs enough turns for pending events to arrive; to test that nothing else happens.
    void settle() {
        int turns_left = 5;
        EXPECT_TRUE(run_until([&] { return turns_left-- == 0; }));
    }

    Talker talker;
    std::size_t turns = 0;

  private:
    struct Application {
        const std::function<bool()>& done;
        Instant give_up;
        Duration look;
        bool over = false, gave_up = false;

        void on_event(Instant, const Talker::Event&) {}
        Instant on_turn(Instant at) {
            gave_up = at > give_up;
            over = gave_up || done();
            return over ? at : std::min(give_up, at + look);
        }
    };
    Loop<Backend> loop_;
};

/// A remote peer with plain, non-blocking system calls.
class PlainStream {
  public:
    explicit PlainStream(int fd = -1) : fd_(fd) {}
    /// Connects; the listener's backlog completes the connection before it is accepted.
    static PlainStream connected(const Address& to, int send_buffer_bytes = 0) {
        PlainStream out(::socket(to.family == Family::v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (send_buffer_bytes > 0)
            setsockopt(out.fd_, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes);
        SocketAddress address;
        const socklen_t length = to_socket_address(to, to.family, address);
        EXPECT_EQ(::connect(out.fd_, &address.any, length), 0) << std::strerror(errno);
        return out;
    }
    PlainStream(PlainStream&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    PlainStream& operator=(PlainStream&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~PlainStream() { close(); }

    int fd() const { return fd_; }
    Address local() const {
        SocketAddress address;
        socklen_t length = sizeof address;
        getsockname(fd_, &address.any, &length);
        return from_socket_address(address.any);
    }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    void reset() {
        const linger hard{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close();
    }
    /// The number of bytes sent, or a negative errno.
    ssize_t send(std::string_view bytes) const {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent < 0 ? -errno : sent;
    }
    /// Appends received bytes. Returns their number, 0 at the end of the stream, or a negative errno.
    ssize_t receive(std::string& out) const {
        char buffer[65'536];
        const ssize_t got = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
        if (got > 0) out.append(buffer, static_cast<std::size_t>(got));
        return got < 0 ? -errno : got;
    }

  private:
    int fd_;
};

/// Connects a node to itself: both ends belong to one endpoint, so only the loop drives them.
template <class Driven>
std::pair<StreamIndex, StreamIndex> connect_to_itself(Driven& node, const Address& listening) {
    const std::size_t before = node.talker.accepted.size();
    const StreamIndex ours = node.talker.connect(listening);
    EXPECT_TRUE(
        node.run_until([&] { return node.talker.streams[ours].established && node.talker.accepted.size() > before; }));
    return {ours, node.talker.accepted.back()};
}

inline std::string pattern(std::uint32_t seed, std::size_t size) {
    std::mt19937 random(seed);
    std::string out;
    for (out.reserve(size + 4); out.size() < size;) {
        const auto word = static_cast<std::uint32_t>(random());
        out.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    out.resize(size);
    return out;
}

// ---- both backends, each spinning and sleeping -------------------------------------------------------

template <class AnyBackend, WaitMode any_mode>
struct Way {
    using Backend = AnyBackend;
    static constexpr WaitMode mode = any_mode;
};
using Ways = ::testing::Types<Way<UringBackend, WaitMode::spin>, Way<UringBackend, WaitMode::block>,
                              Way<MmsgBackend, WaitMode::spin>, Way<MmsgBackend, WaitMode::block>>;
struct WayNames {
    template <class AnyWay>
    static std::string GetName(int) {
        return std::string(AnyWay::Backend::name) + (AnyWay::mode == WaitMode::spin ? "_spinning" : "_sleeping");
    }
};

template <class AnyWay>
class StreamsTest : public ::testing::Test {
  protected:
    using Driven = TalkerLoop<typename AnyWay::Backend>;
    void SetUp() override {
        if (auto opened = AnyWay::Backend::open({}); !opened) GTEST_SKIP() << opened.error().text;
    }
    static Driven open() { return Driven(AnyWay::mode); }
};

}  // namespace ringpost::test
