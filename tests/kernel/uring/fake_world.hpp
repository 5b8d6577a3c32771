#pragma once

// UringBackend on the fake kernel, with an oracle that compares the sent messages and the results of reap() with what
// was posted and what arrived in each socket.

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
    /// A socket of the backend, live or removed. Each of its datagrams starts with the socket's id and a sequence
    /// number.
    struct Socket {
        SocketIndex index;
        int fd;
        std::shared_ptr<FakeSocket> fake;
        bool gro;
        bool stamps;
        bool live = true;
        std::uint32_t posted = 0;  ///< datagrams to send, numbered from 0
        std::uint32_t pushed = 0;  ///< datagrams that arrived, numbered from 0
        std::uint32_t received = 0;
    };

    explicit World(const EngineOptions& options = {}) {
        new_fake_kernel();
        backend = UringBackend::open(options).value();
    }

    FakeKernel& kernel() { return fake_kernel(); }
    Script& script() { return fake_kernel().script; }

    struct SocketKind {
        bool connected = false, gro = true, stamps = false;
    };
    Socket& add() { return add(SocketKind{}); }
    Socket& add(const SocketKind& kind) {
        SocketOptions options;
        (kind.connected ? options.connect : options.bind) = kind.connected ? peer : Address::v4(127, 0, 0, 1, 0);
        options.gro = kind.gro;
        options.stamps = kind.stamps;
        UdpSocket socket = UdpSocket::open(options).value();
        const int fd = socket.fd();
        auto fake = kernel().open(fd, kind.connected);
        const SocketIndex index = backend->add(std::move(socket));
        by_index_[index] = sockets.size();
        return *sockets.emplace_back(
            std::make_unique<Socket>(Socket{index, fd, std::move(fake), kind.gro, kind.stamps}));
    }

    void remove(Socket& socket) {
        backend->remove(socket.index);
        kernel().close(socket.fd);
        socket.live = false;
        by_index_.erase(socket.index);
    }

    /// Posts a train of `count` datagrams. False if there is no transmit buffer.
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

    /// Adds a datagram or a coalesced train to the socket, with a distinct time stamp if the socket stamps.
    void push(Socket& socket, std::size_t count = 1, std::size_t segment_bytes = 16, std::size_t last_bytes = 16) {
        std::string bytes;
        for (std::size_t i = 0; i < count; ++i)
            bytes += labelled(socket.fake->id, socket.pushed++, i + 1 < count ? segment_bytes : last_bytes);
        socket.fake->incoming.push_back(
            {peer, bytes, count > 1 ? segment_bytes : 0, socket.stamps ? stamp_of(socket.pushed - 1) : 0});
    }

    /// One turn of a loop. Verifies what is received.
    void turn(Duration sleep) {
        backend->enter(sleep);
        const std::span<const Received> received = backend->reap();
        EXPECT_LE(received.size(), 2 * received_max) << "an unbounded batch";
        for (const Received& train : received) take(train);
        kernel().next_turn();
    }

    /// Disables failures and runs until everything pending has completed, woken only by completions.
    void settle() {
        script() = Script{};
        turn(0);
        for (int i = 0; i < 1'000 && !settled(); ++i) turn(i % 4 == 0 ? 0 : never);
    }

    /// Call after settle(): every datagram was sent once and in order, or counted as failed; every buffer was recycled.
    void verify() {
        const EngineCounters counters = backend->counters();
        std::uint64_t posted = 0, taken = 0;
        for (const auto& socket : sockets) {
            posted += socket->posted;
            taken += verify_sent(*socket);
            EXPECT_TRUE(!socket->live || socket->received == socket->pushed) << "socket " << socket->fake->id;
        }
        EXPECT_EQ(counters.sent, taken);
        EXPECT_EQ(counters.send_failed, posted - taken);
        EXPECT_FALSE(kernel().stuck()) << "a wait without timeout while work was pending";
        for (const auto& socket : sockets)
            if (socket->live) remove(*socket);
        for (int i = 0; i < 8; ++i) turn(0);
        EXPECT_LE(backend->in_flight(), 1u) << "more than the poll of the waker";
        EXPECT_EQ(kernel().pending(), 0u);
        EXPECT_EQ(kernel().buffers_offered(), 64u) << "a provided buffer was not recycled";
        verify_outbox();
    }

    const Address peer = Address::v4(127, 9, 9, 9, 999);
    std::unique_ptr<UringBackend> backend;
    std::vector<std::unique_ptr<Socket>> sockets;
    std::size_t trains_received = 0;

  private:
    bool settled() {
        std::uint64_t posted = 0;
        for (const auto& socket : sockets) {
            posted += socket->posted;
            if (socket->live && socket->received < socket->pushed) return false;
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

    /// A minute apart, so that clock inaccuracy cannot confuse them.
    static std::int64_t stamp_of(std::uint32_t number) { return 1'700'000'000 * second + number * minute; }
    static constexpr Duration minute = 60 * second;

    void verify_stamp(const Socket& socket, Instant stamped_at) {
        ASSERT_EQ(stamped_at != never, socket.stamps);
        if (!socket.stamps) return;
        const Duration off = stamped_at + unix_offset() - stamp_of(socket.received - 1);
        EXPECT_LT(std::abs(off), minute / 2) << "the stamp of another datagram";
    }

    void take(const Received& train) {
        const auto found = by_index_.find(train.socket);
        ASSERT_NE(found, by_index_.end()) << "received from a removed socket";
        Socket& socket = *sockets[found->second];
        EXPECT_EQ(train.source, peer);
        const std::string_view bytes(reinterpret_cast<const char*>(train.bytes.data()), train.bytes.size());
        if (bytes.size() > train.segment_bytes) ++trains_received;
        for (const std::string_view datagram : cut(bytes, train.segment_bytes))
            ASSERT_EQ(label(datagram), std::pair(socket.fake->id, socket.received++));
        verify_stamp(socket, train.stamped_at);
    }

    /// Returns the number of datagrams sent. One may overtake another only in a turn in which the other was refused.
    std::uint64_t verify_sent(const Socket& socket) {
        std::set<std::uint32_t> taken;
        std::map<std::uint32_t, std::set<unsigned>> refused;    // turns by number
        std::vector<std::pair<std::uint32_t, unsigned>> order;  // number and turn
        const decltype(order) none;
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
                for (const auto& [other, turn] : number < newest ? order : none) {
                    EXPECT_TRUE(other < number || refused[number].contains(turn))
                        << number << " was overtaken by " << other << " in turn " << turn;
                }
                order.emplace_back(number, message.turn);
                newest = std::max(newest, number);
            }
        }
        return taken.size();
    }

    /// All transmit buffers are free again.
    void verify_outbox() {
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
