#pragma once

// UringBackend on the fake kernel, with an oracle: it knows what was posted and what waits in each socket, and judges
// what the network has taken and what reap() has returned.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/os/clock.hpp"
#include "engine/uring/uring_backend.hpp"
#include "tests/kernel/uring/fake_ring.hpp"

namespace ringpost::test {

class World {
  public:
    /// A socket of the backend, live or removed. Every datagram on its way begins with the socket's id and its own
    /// number.
    struct Socket {
        SocketIndex index;
        int fd;
        std::shared_ptr<FakeSocket> fake;
        bool gro;
        bool stamps;
        bool live = true;
        std::uint32_t posted = 0;  ///< datagrams, numbered 0 and up
        std::uint32_t pushed = 0;  ///< the same on the way in
        std::uint32_t heard = 0;
    };

    explicit World(const EngineOptions& options = {}) {
        new_fake_kernel();
        backend = UringBackend::open(options).value();
    }

    FakeKernel& kernel() { return fake_kernel(); }
    Script& script() { return fake_kernel().script; }

    Socket& add(bool connected = false, bool gro = true, bool stamps = false) {
        SocketOptions options;
        (connected ? options.connect : options.bind) = connected ? peer : Address::v4(127, 0, 0, 1, 0);
        options.gro = gro;
        options.stamps = stamps;
        UdpSocket socket = UdpSocket::open(options).value();
        const int fd = socket.fd();
        auto fake = kernel().open(fd, connected);
        const SocketIndex index = backend->add(std::move(socket));
        by_index_[index] = sockets.size();
        return *sockets.emplace_back(std::make_unique<Socket>(Socket{index, fd, std::move(fake), gro, stamps}));
    }

    void remove(Socket& socket) {
        backend->remove(socket.index);
        kernel().close(socket.fd);
        socket.live = false;
        by_index_.erase(socket.index);
    }

    /// Posts a train of `count` datagrams; false while there is no buffer.
    bool post(Socket& socket, std::size_t count = 1, std::size_t segment_bytes = 16, std::size_t last_bytes = 16) {
        const std::span<std::byte> out = backend->transmit_buffer();
        if (out.empty()) return false;
        std::string bytes;
        for (std::size_t i = 0; i < count; ++i)
            bytes += labelled(socket.fake->id, socket.posted++, i + 1 < count ? segment_bytes : last_bytes);
        std::memcpy(out.data(), bytes.data(), bytes.size());
        backend->post({socket.fake->connected ? Address{} : peer, socket.index, bytes.size(),
                       count > 1 ? segment_bytes : bytes.size()});
        return true;
    }

    /// A datagram, or a coalesced train, arrives; in a socket that stamps, at its own moment.
    void push(Socket& socket, std::size_t count = 1, std::size_t segment_bytes = 16, std::size_t last_bytes = 16) {
        std::string bytes;
        for (std::size_t i = 0; i < count; ++i)
            bytes += labelled(socket.fake->id, socket.pushed++, i + 1 < count ? segment_bytes : last_bytes);
        socket.fake->incoming.push_back(
            {peer, bytes, count > 1 ? segment_bytes : 0, socket.stamps ? stamp_of(socket.pushed - 1) : 0});
    }

    /// One turn as the loop makes it. What is received is judged.
    void turn(Duration sleep) {
        backend->enter(sleep);
        const std::span<const Received> received = backend->reap();
        EXPECT_LE(received.size(), 2 * received_max) << "an unbounded batch";
        for (const Received& train : received) take(train);
        kernel().next_turn();
    }

    /// From now on nothing goes wrong, and nothing but the ring's completions ends a wait: all that was begun ends.
    void settle() {
        script() = Script{};
        turn(0);
        for (int i = 0; i < 1'000 && !settled(); ++i) turn(i % 4 == 0 ? 0 : never);
    }

    /// After settle(): every datagram was taken once, in order, or counted; every buffer came back.
    void judge() {
        const EngineCounters counters = backend->counters();
        std::uint64_t posted = 0, taken = 0;
        for (const auto& socket : sockets) {
            posted += socket->posted;
            taken += judge_sent(*socket);
            EXPECT_TRUE(!socket->live || socket->heard == socket->pushed) << "socket " << socket->fake->id;
        }
        EXPECT_EQ(counters.sent, taken);
        EXPECT_EQ(counters.send_failed, posted - taken);
        EXPECT_FALSE(kernel().stuck()) << "a wait without limit, with work left to do";
        for (const auto& socket : sockets)
            if (socket->live) remove(*socket);
        for (int i = 0; i < 8; ++i) turn(0);
        EXPECT_LE(backend->in_flight(), 1u) << "more than the poll for the waker";
        EXPECT_EQ(kernel().pending(), 0u);
        EXPECT_EQ(kernel().buffers_offered(), 64u) << "a provided buffer has not come back";
        judge_outbox();
    }

    const Address peer = Address::v4(127, 9, 9, 9, 999);
    std::unique_ptr<UringBackend> backend;
    std::vector<std::unique_ptr<Socket>> sockets;
    std::size_t trains_heard = 0;

  private:
    bool settled() {
        std::uint64_t posted = 0;
        for (const auto& socket : sockets) {
            posted += socket->posted;
            if (socket->live && socket->heard < socket->pushed) return false;
        }
        const EngineCounters counters = backend->counters();
        return counters.sent + counters.send_failed >= posted;
    }

    static std::string labelled(std::uint32_t id, std::uint32_t number, std::size_t size) {
        std::string out(std::max<std::size_t>(size, 8), static_cast<char>(number));
        std::memcpy(out.data(), &id, 4);
        std::memcpy(out.data() + 4, &number, 4);
        return out;
    }
    static std::pair<std::uint32_t, std::uint32_t> label(std::string_view bytes) {
        std::pair<std::uint32_t, std::uint32_t> out;
        if (bytes.size() < 8) return {};
        std::memcpy(&out.first, bytes.data(), 4);
        std::memcpy(&out.second, bytes.data() + 4, 4);
        for (const char c : bytes.substr(8)) EXPECT_EQ(c, static_cast<char>(out.second));
        return out;
    }
    static std::vector<std::string_view> cut(std::string_view bytes, std::size_t segment_bytes) {
        std::vector<std::string_view> out;
        const std::size_t step = segment_bytes > 0 ? segment_bytes : bytes.size();
        for (std::size_t at = 0; at < bytes.size(); at += step) out.push_back(bytes.substr(at, step));
        return out;
    }

    /// Far enough from each other that no unevenness of the clocks confuses them.
    static std::int64_t stamp_of(std::uint32_t number) { return 1'700'000'000 * second + number * minute; }
    static constexpr Duration minute = 60 * second;

    void judge_stamp(const Socket& socket, Instant stamped_at) {
        ASSERT_EQ(stamped_at != never, socket.stamps);
        if (!socket.stamps) return;
        const Duration off = stamped_at + unix_offset() - stamp_of(socket.heard - 1);
        EXPECT_LT(std::abs(off), minute / 2) << "the stamp of another";
    }

    void take(const Received& train) {
        const auto found = by_index_.find(train.socket);
        ASSERT_NE(found, by_index_.end()) << "from a removed socket";
        Socket& socket = *sockets[found->second];
        EXPECT_EQ(train.source, peer);
        const std::string_view bytes(reinterpret_cast<const char*>(train.bytes.data()), train.bytes.size());
        if (bytes.size() > train.segment_bytes) ++trains_heard;
        for (const std::string_view datagram : cut(bytes, train.segment_bytes))
            ASSERT_EQ(label(datagram), std::pair(socket.fake->id, socket.heard++));
        judge_stamp(socket, train.stamped_at);
    }

    /// The number of datagrams taken. One may overtake another only in a turn in which the kernel refused the other.
    std::uint64_t judge_sent(const Socket& socket) {
        std::set<std::uint32_t> taken;
        std::map<std::uint32_t, std::set<unsigned>> refused;    // by number: the turns
        std::vector<std::pair<std::uint32_t, unsigned>> order;  // number and turn
        const decltype(order) nobody;
        std::uint32_t newest = 0;
        for (const Outgoing& message : socket.fake->outgoing) {
            const auto datagrams = cut(message.bytes, message.segment_bytes);
            EXPECT_LE(datagrams.size(), limits::train_segments_max);
            for (const std::string_view datagram : datagrams) {
                const auto [id, number] = label(datagram);
                EXPECT_EQ(id, socket.fake->id) << "a message of another socket";
                if (message.result != 0) {
                    refused[number].insert(message.turn);
                    continue;
                }
                EXPECT_TRUE(taken.insert(number).second) << "sent twice: " << number;
                for (const auto& [other, turn] : number < newest ? order : nobody) {
                    EXPECT_TRUE(other < number || refused[number].contains(turn))
                        << number << " was overtaken by " << other << " in turn " << turn;
                }
                order.emplace_back(number, message.turn);
                newest = std::max(newest, number);
            }
        }
        return taken.size();
    }

    /// All buffers can be lent again.
    void judge_outbox() {
        Socket& socket = add();
        for (std::size_t i = 0; i < limits::transmit_buffers_max; ++i) ASSERT_TRUE(post(socket)) << "buffer " << i;
        EXPECT_TRUE(backend->transmit_buffer().empty());
        turn(0);
        EXPECT_EQ(socket.fake->outgoing.size(), limits::transmit_buffers_max);
        remove(socket);
    }

    std::map<SocketIndex, std::size_t> by_index_;
};

}  // namespace ringpost::test
