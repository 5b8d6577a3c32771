#pragma once

// Shared by the tests on the real kernel: a backend driver and a peer that uses plain system calls. All traffic stays
// on loopback or in a network namespace of the test.

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "engine/mmsg/mmsg_backend.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"
#include "engine/udp/socket.hpp"
#include "engine/uring/uring_backend.hpp"

namespace ringpost {

inline void PrintTo(const Address& address, std::ostream* out) { *out << to_text(address); }

namespace test {

/// Names the cases of a typed suite after their backend.
struct BackendNames {
    template <class Backend>
    static std::string GetName(int) {
        return Backend::name;
    }
};

/// Timeout of every wait. It affects only failing tests.
inline constexpr Duration patience = 10 * second;

inline Address loopback_v4(std::uint16_t port = 0) { return Address::v4(127, 0, 0, 1, port); }

inline Address loopback_v6(std::uint16_t port = 0) {
    Address out;
    out.ip[15] = 1;
    out.port = port;
    out.family = Family::v6;
    return out;
}

inline Address any_v6() {
    Address out;
    out.family = Family::v6;
    return out;
}

inline SocketOptions bound_to(const Address& address, bool gro = true) {
    SocketOptions options;
    options.bind = address;
    options.gro = gro;
    return options;
}
inline SocketOptions connected_to(const Address& peer, bool gro = true) {
    SocketOptions options;
    options.connect = peer;
    options.gro = gro;
    return options;
}
inline SocketOptions sharing_port(const Address& address) {
    SocketOptions options = bound_to(address);
    options.reuse_port = true;
    return options;
}

struct Delivery {
    Address source;
    SocketIndex socket = 0;
    std::string bytes;
    Instant stamped_at = never;
    Address local{};
    Ecn ecn = Ecn::not_capable;
    std::uint8_t hop_limit = 0;
};

inline std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// `size` bytes that are unique for `number`: the number in 4 bytes if they fit, then a pattern.
inline std::string numbered(std::uint32_t number, std::size_t size = 8) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(number * 31 + i * 7);
    std::memcpy(out.data(), &number, std::min(size, sizeof number));
    return out;
}

/// `count` datagrams numbered from `first`, as segments of equal size; the last has `last_bytes`.
struct Train {
    std::string bytes;
    std::size_t segment_bytes;
    std::vector<std::string> datagrams;
};
inline Train make_train(std::uint32_t first, std::size_t count, std::size_t segment_bytes, std::size_t last_bytes) {
    Train train{{}, segment_bytes, {}};
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t size = i + 1 < count ? segment_bytes : last_bytes;
        train.datagrams.push_back(numbered(first + static_cast<std::uint32_t>(i), size));
        train.bytes += train.datagrams.back();
    }
    if (count == 1) train.segment_bytes = last_bytes;
    return train;
}

/// A backend with a fixed way of waiting; collects the received datagrams.
template <class Backend>
class Driven {
  public:
    explicit Driven(Duration sleep, const EngineOptions& options = {})
        : Driven(sleep, Backend::open(options).value()) {}
    Driven(Duration sleep, std::unique_ptr<Backend> backend) : backend_(std::move(backend)), sleep_(sleep) {}

    Backend& operator*() { return *backend_; }
    Backend* operator->() { return backend_.get(); }

    SocketIndex add(const SocketOptions& options) { return backend_->add(UdpSocket::open(options).value()); }
    SocketIndex add_bound(const Address& address, bool gro = true) { return add(bound_to(address, gro)); }
    SocketIndex add_connected(const Address& peer) { return add(connected_to(peer)); }
    Address local(SocketIndex socket) { return backend_->socket(socket).local(); }

    /// Queues `bytes` for the next enter(), after waiting for a free buffer.
    void post(SocketIndex socket, std::string_view bytes, const Address& destination = {},
              std::size_t segment_bytes = 0, const Address& local = {}, std::uint8_t hop_limit = 0) {
        std::span<std::byte> buffer = backend_->transmit_buffer();
        ASSERT_TRUE(run_until([&] { return !(buffer = backend_->transmit_buffer()).empty(); }));
        if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
        backend_->post(
            {destination, socket, bytes.size(), segment_bytes > 0 ? segment_bytes : bytes.size(), local, hop_limit});
    }
    void post(SocketIndex socket, const Train& train, const Address& destination = {}) {
        post(socket, train.bytes, destination, train.segment_bytes);
    }

    void turn(Duration sleep) {
        backend_->enter(sleep);
        collect();
    }

    /// Runs turns until `done` returns true. False on timeout.
    bool run_until(const std::function<bool()>& done) {
        for (const Instant give_up = now() + patience; !done(); turn(sleep_))
            if (now() > give_up) return false;
        return true;
    }
    bool await_received(std::size_t count) {
        return run_until([&] { return received.size() >= count; });
    }
    /// Runs enough turns for anything in flight to arrive; to test that nothing else does.
    void settle() {
        for (int i = 0; i < 5; ++i) turn(0);
    }
    std::vector<std::string> texts() const {
        std::vector<std::string> out;
        for (const Delivery& delivery : received) out.push_back(delivery.bytes);
        return out;
    }

    /// Reaps and appends to `received`.
    void collect() {
        for (const Received& train : backend_->reap()) {
            if (train.bytes.empty())
                received.push_back(
                    {train.source, train.socket, {}, train.stamped_at, train.local, train.ecn, train.hop_limit});
            for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
                ASSERT_GT(train.segment_bytes, 0u);
                const std::size_t size = std::min(train.segment_bytes, train.bytes.size() - at);
                received.push_back({train.source, train.socket, text_of(train.bytes.subspan(at, size)),
                                    train.stamped_at, train.local, train.ecn, train.hop_limit});
            }
        }
    }

    std::vector<Delivery> received;  ///< trains split into datagrams

  private:
    std::unique_ptr<Backend> backend_;
    Duration sleep_;
};

/// A remote peer with plain system calls.
class Peer {
  public:
    explicit Peer(const Address& bind_to) : family_(bind_to.family) {
        fd_ = ::socket(family_ == Family::v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const timeval limit{patience / second, 0};
        setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        SocketAddress address;
        socklen_t length = to_socket_address(bind_to, family_, address);
        EXPECT_EQ(::bind(fd_, &address.any, length), 0) << std::strerror(errno);
        length = sizeof address;
        getsockname(fd_, &address.any, &length);
        local_ = from_socket_address(address.any);
    }
    ~Peer() { ::close(fd_); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    int fd() const { return fd_; }
    const Address& local() const { return local_; }

    void send(std::string_view bytes, const Address& to) {
        SocketAddress address;
        const socklen_t length = to_socket_address(to, family_, address);
        EXPECT_EQ(sendto(fd_, bytes.data(), bytes.size(), 0, &address.any, length), static_cast<ssize_t>(bytes.size()))
            << std::strerror(errno);
    }

    /// The next datagram; nullopt on timeout.
    std::optional<Delivery> receive(int flags = 0) {
        std::string bytes(receive_buffer_bytes, '\0');
        SocketAddress address;
        socklen_t length = sizeof address;
        const ssize_t got = recvfrom(fd_, bytes.data(), bytes.size(), flags, &address.any, &length);
        if (got < 0) return std::nullopt;
        bytes.resize(static_cast<std::size_t>(got));
        Delivery delivery;
        delivery.source = from_socket_address(address.any);
        delivery.bytes = std::move(bytes);
        return delivery;
    }
    std::vector<std::string> receive_texts(std::size_t count) {
        std::vector<std::string> out;
        while (out.size() < count) {
            auto delivery = receive();
            if (!delivery) break;
            out.push_back(std::move(delivery->bytes));
        }
        return out;
    }

  private:
    Family family_;
    int fd_ = -1;
    Address local_;
};

/// Runs `body` on a thread in a new network namespace, whose loopback interface is up with the given MTU. False if the
/// process lacks the permission.
inline bool in_network_namespace(int mtu, const std::function<void()>& body) {
    bool made = false;
    std::thread thread([&] {
        if (unshare(CLONE_NEWNET) != 0) return;
        made = true;
        const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ifreq request{};
        std::strcpy(request.ifr_name, "lo");
        request.ifr_mtu = mtu;
        EXPECT_EQ(ioctl(fd, SIOCSIFMTU, &request), 0) << std::strerror(errno);
        request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_MULTICAST;
        EXPECT_EQ(ioctl(fd, SIOCSIFFLAGS, &request), 0) << std::strerror(errno);
        ::close(fd);
        body();
    });
    thread.join();
    return made;
}
inline constexpr const char* no_namespace = "no permission to create a network namespace";

}  // namespace test
}  // namespace ringpost
