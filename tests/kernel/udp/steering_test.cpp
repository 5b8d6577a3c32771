// Sockets that share a port, and what the kernel passes to each.

#include <array>
#include <numeric>
#include <set>

#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {
namespace {

/// The socket that receives; SIZE_MAX: none within the patience of tests.
std::size_t receiver_of(std::span<const UdpSocket> sockets) {
    for (const Instant give_up = now() + patience; now() < give_up;)
        for (std::size_t i = 0; i < sockets.size(); ++i) {
            std::array<std::byte, 16> bytes;
            if (recv(sockets[i].fd(), bytes.data(), bytes.size(), MSG_DONTWAIT) >= 0) return i;
        }
    return SIZE_MAX;
}

TEST(Steering, the_second_byte_chooses_the_socket) {
    std::vector<UdpSocket> sockets;
    sockets.push_back(UdpSocket::open(sharing_port(loopback_v4())).value());
    const Address shared = sockets.front().local();
    for (int i = 0; i < 3; ++i) sockets.push_back(UdpSocket::open(sharing_port(shared)).value());
    ASSERT_TRUE(sockets.front().steer_by_second_byte(std::byte{0xc0}, std::byte{0x40}));
    std::set<std::size_t> others;
    for (int client = 0; client < 20; ++client) {
        Peer peer(loopback_v4());
        for (std::size_t i = 0; i < sockets.size(); ++i) {
            peer.send(std::string{'\x5f', static_cast<char>(i)}, shared);
            EXPECT_EQ(receiver_of(sockets), i);
        }
        for (const std::string& other : {std::string{'\x40', '\x09'}, std::string{'\xc1', '\x02'}, std::string("x")}) {
            peer.send(other, shared);
            const std::size_t receiver = receiver_of(sockets);
            ASSERT_LT(receiver, sockets.size());
            others.insert(receiver);
        }
    }
    EXPECT_GT(others.size(), 1u) << "the addresses lead to different sockets";
}

}  // namespace
}  // namespace ringpost::test
