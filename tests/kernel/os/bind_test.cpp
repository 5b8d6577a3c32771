// A port in use: bound when it becomes free within a second, otherwise an error.

#include "engine/os/bind.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "engine/os/clock.hpp"
#include "engine/tcp/stream_socket.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::test {
namespace {

/// Destroys what `holder` has after a moment.
template <class Holder>
std::jthread released_soon(std::optional<Holder>& holder) {
    return std::jthread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        holder.reset();
    });
}

TEST(PortInUse, is_bound_when_it_becomes_free) {
    SocketOptions options;
    options.bind = Address::v4(127, 0, 0, 1, 0);
    std::optional<UdpSocket> udp(UdpSocket::open(options).value());
    options.bind = udp->local();
    std::optional<StreamListener> tcp(StreamListener::open(Address::v4(127, 0, 0, 1, 0)).value());
    const Address listening = tcp->local();
    const std::jthread udp_released = released_soon(udp), tcp_released = released_soon(tcp);
    EXPECT_TRUE(UdpSocket::open(options));
    EXPECT_TRUE(StreamListener::open(listening));
}

TEST(PortInUse, is_an_error_after_a_second) {
    SocketOptions options;
    options.bind = Address::v4(127, 0, 0, 1, 0);
    const UdpSocket holder = UdpSocket::open(options).value();
    options.bind = holder.local();
    const Instant start = now();
    const auto second_one = UdpSocket::open(options);
    ASSERT_FALSE(second_one);
    EXPECT_EQ(second_one.error().code, EADDRINUSE);
    EXPECT_GE(now() - start, second);
}

TEST(PortInUse, is_an_error_at_once_for_a_socket_that_shares_it) {
    SocketOptions options;
    options.bind = Address::v4(127, 0, 0, 1, 0);
    const UdpSocket holder = UdpSocket::open(options).value();
    const Address& held = holder.local();
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(bind_socket(fd, Family::v4, held, PortInUse::fails), EADDRINUSE);
    ::close(fd);
}

}  // namespace
}  // namespace ringpost::test
