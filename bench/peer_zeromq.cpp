// The rate of ZeroMQ over loopback, PUSH to PULL over TCP: compared with gtUDP by scripts/bench.
//
//   peer_zeromq BYTES SECONDS PINNED(0|1)
//
// Two processes with an I/O thread each; the receiver checks that every message arrives once and in order. Prints one
// JSON object.

#include <zmq.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/peer.hpp"

namespace {

constexpr int high_water = 100'000;

void* open_socket(void* context, int type) {
    void* socket = zmq_socket(context, type);
    const int no_linger = 0, wait_ms = 100, buffer = 4 << 20;
    zmq_setsockopt(socket, ZMQ_LINGER, &no_linger, sizeof no_linger);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(socket, type == ZMQ_PUSH ? ZMQ_SNDHWM : ZMQ_RCVHWM, &high_water, sizeof high_water);
    zmq_setsockopt(socket, type == ZMQ_PUSH ? ZMQ_SNDBUF : ZMQ_RCVBUF, &buffer, sizeof buffer);
    return socket;
}

void receive(bench::Shared& shared) {
    void* context = zmq_ctx_new();
    void* socket = open_socket(context, ZMQ_PULL);
    if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0) bench::die("zmq_bind");
    char endpoint[64];
    std::size_t length = sizeof endpoint;
    zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &length);
    shared.port = std::atoi(std::strrchr(endpoint, ':') + 1);
    shared.ready = true;
    std::uint64_t expected = 0;
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (!shared.stop) {
        if (zmq_msg_recv(&message, socket, 0) < 0) continue;
        bench::check_sequence(zmq_msg_data(&message), expected++);
        shared.received.store(expected, std::memory_order_relaxed);
    }
    zmq_close(socket);
    zmq_ctx_term(context);
}

void send(bench::Shared& shared, std::size_t bytes, double seconds) {
    void* context = zmq_ctx_new();
    void* socket = open_socket(context, ZMQ_PUSH);
    if (zmq_connect(socket, ("tcp://127.0.0.1:" + std::to_string(shared.port.load())).c_str()) != 0)
        bench::die("zmq_connect");
    std::string payload(bytes, 'z');
    std::uint64_t sent = 0;
    const std::uint64_t start = bench::now_ns(), end = start + static_cast<std::uint64_t>(seconds * 1e9);
    while (bench::now_ns() < end) {
        for (int i = 0; i < 64; ++i) {
            bench::put_sequence(payload.data(), sent++);
            if (zmq_send(socket, payload.data(), bytes, 0) < 0) bench::die("zmq_send");
        }
    }
    bench::report("zeromq", bytes, sent, shared, start);
    zmq_close(socket);
    zmq_ctx_term(context);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) bench::usage("peer_zeromq BYTES SECONDS PINNED(0|1)");
    bench::run_pair(
        std::atoi(argv[3]) != 0 ? bench::Cores::pinned : bench::Cores::any, receive,
        [&](bench::Shared& shared) { send(shared, std::strtoul(argv[1], nullptr, 10), std::atof(argv[2])); });
}
