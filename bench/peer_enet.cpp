// The rate of ENet over loopback, reliable packets on one channel: compared with gtUDP by scripts/bench.
//
//   peer_enet BYTES SECONDS PINNED(0|1) MTU OUTSTANDING
//
// Two processes; the receiver checks that every message arrives once and in order. Prints one JSON object.

#include <enet/enet.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cinttypes>
#include <csignal>
#include <cstdlib>
#include <vector>

#include "bench/peer.hpp"

namespace {

std::uint64_t outstanding = 0;

void acknowledged(ENetPacket*) { --outstanding; }

ENetHost* open_host(const ENetAddress* address, std::size_t mtu) {
    ENetHost* host = enet_host_create(address, 1, 1, 0, 0);
    if (host == nullptr) bench::die("enet_host_create");
    host->mtu = static_cast<enet_uint32>(mtu);
    enet_socket_set_option(host->socket, ENET_SOCKOPT_RCVBUF, 4 << 20);
    enet_socket_set_option(host->socket, ENET_SOCKOPT_SNDBUF, 4 << 20);
    return host;
}

void receive(bench::Shared& shared, std::size_t mtu) {
    ENetAddress address{};
    enet_address_set_host_ip(&address, "127.0.0.1");
    address.port = 0;
    ENetHost* host = open_host(&address, mtu);
    ENetAddress bound;
    enet_socket_get_address(host->socket, &bound);
    shared.port = bound.port;
    shared.ready = true;
    std::uint64_t expected = 0;
    ENetEvent event;
    while (!shared.stop) {
        int got = enet_host_service(host, &event, 0);
        while (got > 0) {
            if (event.type == ENET_EVENT_TYPE_RECEIVE) {
                bench::check_sequence(event.packet->data, expected);
                enet_packet_destroy(event.packet);
                ++expected;
            }
            got = enet_host_check_events(host, &event);
        }
        shared.received.store(expected, std::memory_order_relaxed);
    }
    enet_host_destroy(host);
}

void send(bench::Shared& shared, std::size_t bytes, double seconds, std::size_t mtu, std::uint64_t window) {
    ENetHost* host = open_host(nullptr, mtu);
    ENetAddress address{};
    enet_address_set_host_ip(&address, "127.0.0.1");
    address.port = static_cast<enet_uint16>(shared.port.load());
    ENetPeer* peer = enet_host_connect(host, &address, 1, 0);
    if (peer == nullptr) bench::die("enet_host_connect");
    ENetEvent event;
    if (enet_host_service(host, &event, 2000) <= 0 || event.type != ENET_EVENT_TYPE_CONNECT) bench::die("connect");
    std::vector<std::uint8_t> payload(bytes, 0x5a);
    std::uint64_t sent = 0;
    const std::uint64_t start = bench::now_ns(), end = start + static_cast<std::uint64_t>(seconds * 1e9);
    while (bench::now_ns() < end || outstanding > 0) {
        for (int i = 0; i < 256 && outstanding < window && bench::now_ns() < end; ++i) {
            bench::put_sequence(payload.data(), sent++);
            ENetPacket* packet = enet_packet_create(payload.data(), bytes, ENET_PACKET_FLAG_RELIABLE);
            packet->freeCallback = acknowledged;
            ++outstanding;
            if (enet_peer_send(peer, 0, packet) != 0) bench::die("enet_peer_send");
        }
        while (enet_host_service(host, &event, 0) > 0) {
            if (event.type == ENET_EVENT_TYPE_DISCONNECT) bench::die("connection");
        }
    }
    bench::report("enet", bytes, sent, shared, start);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) bench::usage("peer_enet BYTES SECONDS PINNED(0|1) MTU OUTSTANDING");
    if (enet_initialize() != 0) bench::die("enet_initialize");
    const std::size_t mtu = std::strtoul(argv[4], nullptr, 10);
    bench::run_pair(
        std::atoi(argv[3]) != 0 ? bench::Cores::pinned : bench::Cores::any,
        [&](bench::Shared& shared) { receive(shared, mtu); },
        [&](bench::Shared& shared) {
            send(shared, std::strtoul(argv[1], nullptr, 10), std::atof(argv[2]), mtu,
                 std::strtoull(argv[5], nullptr, 10));
        });
}
