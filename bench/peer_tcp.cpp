// The rate of messages in one TCP connection over loopback, in large batches: compared with the native transport by
// scripts/bench.
//
//   peer_tcp BYTES SECONDS
//
// Messages of BYTES (16 or more), each behind its length, fill a buffer for each send(2). Two processes, pinned to two
// cores; the receiver checks that every message arrives once, in order and with its content. Prints one JSON object.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string_view>
#include <vector>

#include "bench/peer.hpp"

namespace {

constexpr std::size_t batch_bytes = 256 << 10, read_bytes = 256 << 10, length_bytes = sizeof(std::uint32_t);
constexpr int socket_buffer_bytes = 4 << 20;
constexpr std::string_view congestion_control = "cubic";  // bbr paces, also on loopback

/// Blocking, which is faster than spinning: a receiver that has to be woken up finds more bytes at once.
/// TCP_NODELAY makes no difference to writes of this size.
int open_socket() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) bench::die("socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &socket_buffer_bytes, sizeof socket_buffer_bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &socket_buffer_bytes, sizeof socket_buffer_bytes);
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion_control.data(), congestion_control.size());
    return fd;
}

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

int accept_one(bench::Shared& shared) {
    const int listener = open_socket();
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        bench::die("listen");
    shared.port = ntohs(address.sin_port);
    shared.ready = true;
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) bench::die("accept");
    return fd;
}

void receive(bench::Shared& shared, std::size_t message_bytes) {
    const int fd = accept_one(shared);
    std::vector<std::byte> buffer(read_bytes);
    std::uint64_t expected = 0;
    std::size_t held = 0;  // of a message whose end has not arrived
    for (ssize_t got = 0; (got = recv(fd, &buffer[held], buffer.size() - held, 0)) > 0;) {
        const std::byte* at = buffer.data();
        const std::byte* const end = &buffer[held] + got;
        for (std::uint32_t length = 0; end - at >= static_cast<ssize_t>(length_bytes); at += length_bytes + length) {
            std::memcpy(&length, at, length_bytes);
            if (length != message_bytes) bench::die("length check");
            if (end - at < static_cast<ssize_t>(length_bytes + length)) break;
            bench::check_message(at + length_bytes, length, expected++);
        }
        held = static_cast<std::size_t>(end - at);
        std::memmove(buffer.data(), at, held);
        shared.received.store(expected, std::memory_order_relaxed);
    }
}

void send_all(int fd, const std::vector<std::byte>& batch) {
    for (std::size_t done = 0; done < batch.size();) {
        const ssize_t sent = send(fd, &batch[done], batch.size() - done, MSG_NOSIGNAL);
        if (sent < 0) bench::die("send");
        done += static_cast<std::size_t>(sent);
    }
}

void send(bench::Shared& shared, std::size_t message_bytes, double seconds) {
    const int fd = open_socket();
    const sockaddr_in address = loopback(shared.port);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) bench::die("connect");
    const auto length = static_cast<std::uint32_t>(message_bytes);
    const std::size_t messages = batch_bytes / (length_bytes + length);
    std::vector<std::byte> batch(messages * (length_bytes + length));
    std::uint64_t sent = 0;
    const std::uint64_t start = bench::now_ns(), end = start + static_cast<std::uint64_t>(seconds * 1e9);
    while (bench::now_ns() < end) {
        std::byte* at = batch.data();
        for (std::size_t i = 0; i < messages; ++i, at += length_bytes + length) {
            std::memcpy(at, &length, length_bytes);
            bench::write_message(at + length_bytes, length, sent++);
        }
        send_all(fd, batch);
    }
    bench::report("tcp", message_bytes, sent, shared, start);
    close(fd);
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t message_bytes = argc == 3 ? std::strtoul(argv[1], nullptr, 10) : 0;
    if (message_bytes < 16 || message_bytes > batch_bytes - length_bytes)
        bench::usage("peer_tcp BYTES SECONDS, BYTES of 16 to 262140");
    bench::run_pair(
        bench::Cores::pinned, [&](bench::Shared& shared) { receive(shared, message_bytes); },
        [&](bench::Shared& shared) { send(shared, message_bytes, std::atof(argv[2])); });
}
