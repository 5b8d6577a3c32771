// Plain sockets with the kernel's CUBIC. Times are those of the kernel's defaults.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "engine/os/address.hpp"
#include "tests/bottleneck/flow.hpp"

namespace ringpost::bottleneck {
namespace {

int open_socket() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    constexpr char cubic[] = "cubic";
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cubic, sizeof cubic - 1) != 0) fail("TCP_CONGESTION");
    return fd;
}

tcp_info info_of(int fd) {
    tcp_info info{};
    socklen_t bytes = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0) fail("TCP_INFO");
    return info;
}

void report(int fd, Instant at) {
    const tcp_info info = info_of(fd);
    print_state(at, std::uint64_t{info.tcpi_snd_cwnd} * info.tcpi_snd_mss, info.tcpi_rtt, info.tcpi_total_retrans);
}

}  // namespace

void receive_tcp(std::uint16_t port) {
    const int listening = open_socket();
    const int yes = 1;
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    SocketAddress address;
    const socklen_t bytes = to_socket_address(Address::v4(0, 0, 0, 0, port), Family::v4, address);
    if (bind(listening, &address.any, bytes) != 0 || listen(listening, 1) != 0) fail("listen");
    ready();
    const int fd = accept(listening, nullptr, nullptr);
    if (fd < 0) fail("accept");
    Progress progress;
    std::vector<std::byte> buffer(256 << 10);
    std::size_t kept = 0;  // of a word that is not complete
    while (true) {
        const ssize_t got = recv(fd, buffer.data() + kept, buffer.size() - kept, 0);
        if (got <= 0) break;
        const std::size_t all = kept + static_cast<std::size_t>(got), whole = all / 8 * 8;
        progress.add(std::span(buffer).first(whole));
        kept = all - whole;
        std::copy_n(buffer.begin() + static_cast<std::ptrdiff_t>(whole), kept, buffer.begin());
    }
    progress.end();
    close(fd);
    close(listening);
}

void send_tcp(const Address& to, const Amount& amount) {
    const int fd = open_socket();
    SocketAddress address;
    const socklen_t bytes = to_socket_address(to, Family::v4, address);
    if (connect(fd, &address.any, bytes) != 0) fail("connect");
    const Instant started = now(), end = amount.time == never ? never : started + amount.time;
    Instant report_at = 0;
    std::vector<std::byte> piece(piece_bytes);
    for (std::uint64_t sent = 0; sent < amount.bytes && now() < end; sent += piece.size()) {
        write_piece(piece, sent);
        for (std::size_t at = 0; at < piece.size();) {
            const ssize_t done = send(fd, &piece[at], piece.size() - at, MSG_NOSIGNAL);
            if (done <= 0) fail("send");
            at += static_cast<std::size_t>(done);
        }
        if (const Instant at = now(); at >= report_at) {
            report(fd, at);
            report_at = at + report_interval;
        }
    }
    if (now() < end) {
        std::byte none{};
        shutdown(fd, SHUT_WR);
        if (recv(fd, &none, 1, 0) != 0) fail("delivery");
    }
    report(fd, now());
    std::printf("{\"retransmitted\":%u}\n", info_of(fd).tcpi_total_retrans);
    close(fd);
}

}  // namespace ringpost::bottleneck
