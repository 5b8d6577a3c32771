// peers_rate BACKEND PEERS SECONDS: the rate of 64-byte gtUDP messages from PEERS peers, round robin, one datagram
// each, to one socket in another process; each message is confirmed and acknowledged. The peers are a plain loop of
// system calls that gives each datagram its own source address in 127.0.0.0/8. Both processes spin, each on its own
// core. Prints one JSON object.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "bench/peer.hpp"
#include "codec/base/bytes.hpp"
#include "codec/gtudp/endpoint.hpp"
#include "engine/loop/open.hpp"

namespace {

using namespace ringpost;

constexpr std::size_t message_bytes = 64;
constexpr std::uint32_t peers_max = 131'072;
constexpr unsigned batch = 64;
constexpr std::uint64_t in_flight = 512;
constexpr std::uint32_t first_source = 0x7f01'0000;  // 127.1.0.0

// ---- the server: every message once, in order per peer --------------------------------------------

class Server {
  public:
    Server(bench::Shared& shared, std::uint32_t peers) : shared_(shared), peers_(peers), next_(peers) {}

    void on_event(Instant, const gtudp::Event& event) {
        if (event.kind != gtudp::Event::Kind::message || event.bytes.size() != message_bytes)
            bench::die("message check");
        const auto number = load_le<std::uint64_t>(event.bytes.data());
        if (next_[number % peers_]++ != number / peers_) bench::die("order check");
        ++received_;
    }
    Instant on_turn(Instant) {
        shared_.received.store(received_, std::memory_order_relaxed);
        if (shared_.stop) stop();
        return never;
    }
    std::function<void()> stop;

  private:
    bench::Shared& shared_;
    std::uint64_t peers_;
    std::vector<std::uint64_t> next_;  ///< per peer, the number of its next message
    std::uint64_t received_ = 0;
};

void serve(bench::Shared& shared, BackendChoice backend, std::uint32_t peers) {
    gtudp::Options options;
    options.peers_max = peers_max;
    auto endpoint = std::make_unique<gtudp::Endpoint>(options);
    Server server(shared, peers);
    SocketOptions socket_options;
    socket_options.bind = Address::v4(127, 0, 0, 1, 0);
    auto socket = UdpSocket::open(socket_options);
    if (!socket) bench::die(socket.error().text.c_str());
    const auto run = [&](auto& loop) {
        server.stop = [&loop] { loop.stop(); };
        shared.port = socket->local().port;
        loop.backend().add(std::move(*socket));
        shared.ready = true;
        loop.run(*endpoint, server);
        return 0;
    };
    const auto note = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
    const auto done = with_loop({.backend = backend, .wait = WaitMode::spin}, note, run);
    if (!done) bench::die(done.error().text.c_str());
}

// ---- the peers ------------------------------------------------------------------------------------

/// Up to `batch` datagrams, each with its local address.
struct Batch {
    struct alignas(cmsghdr) Control {
        std::array<std::byte, CMSG_SPACE(sizeof(in_pktinfo))> bytes{};
    };
    std::array<std::array<std::byte, 128>, batch> payloads{};
    std::array<iovec, batch> parts{};
    std::array<Control, batch> controls{};
    std::array<mmsghdr, batch> messages{};
    unsigned count = 0;

    Batch() {
        for (unsigned i = 0; i < batch; ++i) {
            parts[i].iov_base = payloads[i].data();
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            messages[i].msg_hdr.msg_control = &controls[i];
        }
    }
    in_pktinfo& information(unsigned i) {
        return *reinterpret_cast<in_pktinfo*>(CMSG_DATA(CMSG_FIRSTHDR(&messages[i].msg_hdr)));
    }
    /// Adds a datagram from `source`; returns where to write its `bytes`.
    std::byte* add(in_addr source, std::size_t bytes, sockaddr_in& destination) {
        const unsigned i = count++;
        parts[i].iov_len = bytes;
        msghdr& header = messages[i].msg_hdr;
        header.msg_name = &destination;
        header.msg_namelen = sizeof destination;
        header.msg_controllen = sizeof(Control);
        cmsghdr* const control = CMSG_FIRSTHDR(&header);
        control->cmsg_level = IPPROTO_IP;
        control->cmsg_type = IP_PKTINFO;
        control->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
        information(i) = {};
        information(i).ipi_spec_dst = source;
        return payloads[i].data();
    }
    void send(int fd) {
        for (unsigned sent = 0; sent < count;) {
            const int result = sendmmsg(fd, &messages[sent], count - sent, 0);
            if (result <= 0) bench::die("sendmmsg");
            sent += static_cast<unsigned>(result);
        }
        count = 0;
    }
    void receive(int fd) {
        for (unsigned i = 0; i < batch; ++i) {
            parts[i].iov_len = payloads[i].size();
            messages[i].msg_hdr.msg_name = nullptr;
            messages[i].msg_hdr.msg_namelen = 0;
            messages[i].msg_hdr.msg_controllen = sizeof(Control);
        }
        const int result = recvmmsg(fd, messages.data(), batch, MSG_DONTWAIT, nullptr);
        count = result > 0 ? static_cast<unsigned>(result) : 0;
    }
};

void run_peers(bench::Shared& shared, std::uint32_t peers, double seconds) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    const int on = 1, buffer_bytes = 4 << 20;
    sockaddr_in any{}, server{};
    any.sin_family = server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons(static_cast<std::uint16_t>(shared.port.load()));
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes) != 0 ||
        bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0)
        bench::die("opening the socket");
    const gtudp::Codec codec;
    Batch outgoing, incoming;
    std::vector<std::uint32_t> answered(peers);  // per peer, the next identity
    std::uint64_t sent = 0, confirmed = 0;
    const std::uint64_t start_ns = bench::now_ns(), end_ns = start_ns + static_cast<std::uint64_t>(seconds * 1e9);
    std::uint64_t give_up_ns = end_ns + 10'000'000'000;
    while (true) {
        const std::uint64_t at_ns = bench::now_ns();
        if (at_ns >= end_ns && (confirmed == sent || at_ns >= give_up_ns)) break;
        while (at_ns < end_ns && sent - confirmed < in_flight && outgoing.count < batch) {
            const auto peer = static_cast<std::uint32_t>(sent % peers);
            std::byte* const at =
                outgoing.add({htonl(first_source + peer)}, codec.header_bytes() + message_bytes, server);
            codec.write_header(at, gtudp::Kind::data, static_cast<gtudp::Identity>(sent / peers));
            store_le<std::uint64_t>(at + codec.header_bytes(), sent++);
        }
        outgoing.send(fd);
        incoming.receive(fd);
        for (unsigned i = 0; i < incoming.count; ++i) {
            const auto frame = codec.decode({incoming.payloads[i].data(), incoming.messages[i].msg_len});
            if (!frame || frame->kind != gtudp::Kind::recv) bench::die("RECV check");
            std::byte* const at = outgoing.add(incoming.information(i).ipi_addr, codec.header_bytes(), server);
            codec.write_header(at, gtudp::Kind::ack, frame->identity);
            // A RECV that the server repeats, e.g. after a stall of this process, is acknowledged again.
            std::uint32_t& expected = answered[ntohl(incoming.information(i).ipi_addr.s_addr) - first_source];
            if (frame->identity > expected) bench::die("RECV order check");
            if (frame->identity < expected) continue;
            ++expected;
            ++confirmed;
        }
        outgoing.send(fd);
    }
    close(fd);
    bench::report("peers", message_bytes, sent, shared, start_ns);
}

}  // namespace

int main(int argc, char** argv) {
    const long peers = argc == 4 ? std::atol(argv[2]) : 0;
    if (peers < 1 || peers > peers_max) bench::usage("peers_rate uring|mmsg PEERS SECONDS");
    const auto backend = std::string_view(argv[1]) == "uring" ? BackendChoice::uring : BackendChoice::mmsg;
    bench::run_pair(
        bench::Cores::pinned, [&](bench::Shared& shared) { serve(shared, backend, static_cast<std::uint32_t>(peers)); },
        [&](bench::Shared& shared) { run_peers(shared, static_cast<std::uint32_t>(peers), std::atof(argv[3])); });
}
