// The kernel's limit over loopback: the reference that ringpost's figures are compared with.
//
// Plain system calls, no ringpost code, two processes pinned to two cores.
//
//   kernel_limit flood BYTES SEGMENTS GRO(0|1) SECONDS   one way: GSO trains by sendmmsg, received by recvmmsg
//   kernel_limit pingpong BYTES ROUND_TRIPS [anyone]     recv and send, both sides spinning and connected;
//                                                        anyone: the far side is unconnected and answers any source,
//                                                        as a server must (recvfrom and sendto, with a route look-up)
//
// Payloads are neither generated nor verified: this is the cost of moving bytes alone, an upper bound. Prints one JSON
// object.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr int batch = 16;                    // messages per sendmmsg and recvmmsg
constexpr std::size_t buffer_bytes = 65536;  // a smaller buffer truncates GRO trains silently
constexpr int socket_buffer_bytes = 4 << 20;

struct Shared {
    std::atomic<bool> ready, stop;
    std::atomic<std::uint64_t> received, first_ns, last_ns;
};

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

std::uint64_t now_ns() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return std::uint64_t(t.tv_sec) * 1'000'000'000u + std::uint64_t(t.tv_nsec);
}

void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) die("sched_setaffinity");
}

int bound_socket(sockaddr_in& address) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        die("bind");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &socket_buffer_bytes, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &socket_buffer_bytes, sizeof(int));
    return fd;
}

void connect_to(int fd, const sockaddr_in& peer) {
    if (connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) die("connect");
}

// ---- flood ----------------------------------------------------------------------------------------

enum class Gro : std::uint8_t { off, on };

void receive_flood(int fd, Gro wanted, Shared& shared) {
    const bool gro = wanted == Gro::on;
    const int on = 1;
    if (gro && setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) die("UDP_GRO");
    std::vector<std::byte> buffers(batch * buffer_bytes);
    struct {
        alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
    } control[batch];
    mmsghdr messages[batch] = {};
    iovec vectors[batch];
    for (int i = 0; i < batch; ++i) {
        vectors[i] = {buffers.data() + std::size_t(i) * buffer_bytes, buffer_bytes};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    std::uint64_t received = 0;
    shared.ready = true;
    while (true) {
        for (int i = 0; i < batch && gro; ++i) {
            messages[i].msg_hdr.msg_control = control[i].bytes;
            messages[i].msg_hdr.msg_controllen = sizeof control[i].bytes;
        }
        int count = recvmmsg(fd, messages, batch, MSG_DONTWAIT, nullptr);
        if (count < 0) {
            if (errno != EAGAIN) die("recvmmsg");
            if (shared.stop) return;
            continue;
        }
        for (int i = 0; i < count; ++i) {
            int segment = 0;
            for (cmsghdr* c = CMSG_FIRSTHDR(&messages[i].msg_hdr); c != nullptr && gro;
                 c = CMSG_NXTHDR(&messages[i].msg_hdr, c))
                if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
                    std::memcpy(&segment, CMSG_DATA(c), sizeof segment);
            unsigned bytes = messages[i].msg_len;
            received += segment > 0 ? (bytes + unsigned(segment) - 1) / unsigned(segment) : 1;
        }
        std::uint64_t now = now_ns();
        if (shared.first_ns == 0) shared.first_ns = now;
        shared.last_ns.store(now, std::memory_order_relaxed);
        shared.received.store(received, std::memory_order_relaxed);
    }
}

std::uint64_t send_flood(int fd, std::size_t bytes, std::size_t segments, double seconds) {
    std::vector<std::byte> payload(bytes * segments, std::byte{0x5a});
    iovec vector = {payload.data(), payload.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint16_t))] = {};
    auto* header = reinterpret_cast<cmsghdr*>(control);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    auto segment = static_cast<std::uint16_t>(bytes);
    std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
    mmsghdr messages[batch] = {};
    for (mmsghdr& message : messages) {
        message.msg_hdr.msg_iov = &vector;
        message.msg_hdr.msg_iovlen = 1;
        if (segments > 1) {
            message.msg_hdr.msg_control = control;
            message.msg_hdr.msg_controllen = sizeof control;
        }
    }
    std::uint64_t sent = 0;
    const std::uint64_t end = now_ns() + std::uint64_t(seconds * 1e9);
    while (now_ns() < end) {
        int count = sendmmsg(fd, messages, batch, 0);
        if (count < 0) die("sendmmsg");
        sent += std::uint64_t(count) * segments;
    }
    return sent;
}

void flood(Shared& shared, std::size_t bytes, std::size_t segments, Gro gro, double seconds) {
    sockaddr_in address;
    int sink = bound_socket(address);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(1);
        receive_flood(sink, gro, shared);
        _exit(0);
    }
    pin(0);
    while (!shared.ready) sched_yield();
    sockaddr_in own;
    int fd = bound_socket(own);
    connect_to(fd, address);
    std::uint64_t sent = send_flood(fd, bytes, segments, seconds);
    shared.stop = true;
    int status = 0;
    waitpid(child, &status, 0);
    double span = double(shared.last_ns - shared.first_ns) / 1e9;
    std::printf("{\"mode\":\"flood\",\"bytes\":%zu,\"segments\":%zu,\"gro\":%s,\"sent\":%" PRIu64
                ",\"received\":%" PRIu64 ",\"duration_s\":%.6f,\"rate_per_s\":%.0f}\n",
                bytes, segments, gro == Gro::on ? "true" : "false", sent, shared.received.load(), span,
                double(shared.received) / span);
    if (status != 0) std::exit(1);
}

// ---- ping-pong ------------------------------------------------------------------------------------

enum class FarSide : std::uint8_t { connected, unconnected };

void pingpong(Shared& shared, std::size_t bytes, std::size_t round_trips, FarSide far_side) {
    const bool anyone = far_side == FarSide::unconnected;
    sockaddr_in a_address, b_address;
    int a = bound_socket(a_address), b = bound_socket(b_address);
    connect_to(a, b_address);
    if (!anyone) connect_to(b, a_address);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(1);
        std::vector<std::byte> buffer(buffer_bytes);
        shared.ready = true;
        sockaddr_in source;
        while (!shared.stop) {
            socklen_t length = sizeof source;
            auto* name = anyone ? reinterpret_cast<sockaddr*>(&source) : nullptr;
            ssize_t n = recvfrom(b, buffer.data(), buffer.size(), MSG_DONTWAIT, name, anyone ? &length : nullptr);
            if (n >= 0 && sendto(b, buffer.data(), std::size_t(n), 0, name, anyone ? length : 0) != n) die("sendto");
        }
        _exit(0);
    }
    pin(0);
    while (!shared.ready) sched_yield();
    std::vector<std::byte> buffer(buffer_bytes);
    std::vector<std::uint32_t> rtt_ns(round_trips);
    const std::size_t warm_up = std::min<std::size_t>(round_trips / 10, 10'000);
    for (std::size_t i = 0; i < warm_up + round_trips; ++i) {
        std::uint64_t start = now_ns();
        if (send(a, buffer.data(), bytes, 0) != ssize_t(bytes)) die("send");
        while (recv(a, buffer.data(), buffer.size(), MSG_DONTWAIT) < 0)
            if (errno != EAGAIN) die("recv");
        if (i >= warm_up) rtt_ns[i - warm_up] = std::uint32_t(now_ns() - start);
    }
    shared.stop = true;
    waitpid(child, nullptr, 0);
    std::sort(rtt_ns.begin(), rtt_ns.end());
    auto us = [&](double q) { return rtt_ns[std::min(round_trips - 1, std::size_t(q * double(round_trips)))] / 1e3; };
    std::printf(
        "{\"mode\":\"pingpong\",\"bytes\":%zu,\"received\":%zu,\"rtt_us\":{\"min\":%.3f,\"p50\":%.3f,"
        "\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}}\n",
        bytes, round_trips, us(0), us(0.5), us(0.99), us(0.999), us(1));
}

}  // namespace

int main(int argc, char** argv) {
    auto* shared =
        static_cast<Shared*>(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (shared == MAP_FAILED) die("mmap");
    if (argc == 6 && std::strcmp(argv[1], "flood") == 0)
        flood(*shared, std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10),
              std::atoi(argv[4]) != 0 ? Gro::on : Gro::off, std::atof(argv[5]));
    else if (argc >= 4 && std::strcmp(argv[1], "pingpong") == 0)
        pingpong(*shared, std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10),
                 argc > 4 ? FarSide::unconnected : FarSide::connected);
    else
        return std::fprintf(stderr,
                            "kernel_limit flood BYTES SEGMENTS GRO SECONDS | pingpong BYTES ROUND_TRIPS [anyone]\n"),
               2;
    return 0;
}
