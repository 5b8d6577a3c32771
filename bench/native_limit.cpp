// native_limit SUITE BYTES SECONDS: what a program written for this one purpose reaches over loopback with sealed
// messages that are acknowledged: the reference of native_rate. SUITE is aes, chacha or insecure, BYTES at least 16.
//
// Plain system calls in trains, two processes pinned to two cores, spinning. Messages are written where they are
// sealed, packets are opened where they arrive, and each message is checked. There is one connection whose keys are
// given, no congestion control, no loss recovery (the window fits the receive buffer, and a loss ends the program), no
// timer. Prints one JSON object.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string_view>
#include <vector>

#include "bench/peer.hpp"
#include "codec/base/bytes.hpp"
#include "codec/crypto/aead.hpp"

namespace {

using namespace ringpost;

constexpr std::size_t datagram_bytes = 1'472, header_bytes = 12, frame_bytes = 9, train_bytes_max = 65'507;
constexpr std::uint64_t window_trains = 12;  // of up to 64 KiB: half of the receive buffer, as the kernel counts it
constexpr int socket_buffer_bytes = 4 << 20;

struct Layout {
    std::size_t message_bytes, messages, packet_bytes, packets;  // of a packet, of a train
};

Layout layout_of(std::size_t message_bytes, std::size_t tag_bytes) {
    const std::size_t room = datagram_bytes - header_bytes - frame_bytes - tag_bytes;
    if (message_bytes < 16 || message_bytes > room) bench::usage("native_limit: BYTES of 16 to 1400");
    const std::size_t messages = room / message_bytes;
    const std::size_t packet_bytes = header_bytes + frame_bytes + messages * message_bytes + tag_bytes;
    return {message_bytes, messages, packet_bytes, train_bytes_max / packet_bytes};
}

int open_socket(sockaddr_in& address) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        bench::die("bind");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &socket_buffer_bytes, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &socket_buffer_bytes, sizeof(int));
    return fd;
}

/// Opens trains, and acknowledges each with the number of packets so far.
void receive(bench::Shared& shared, const Layout& layout, crypto::PacketKey key) {
    sockaddr_in address;
    const int fd = open_socket(address);
    constexpr int on = 1;
    if (setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) bench::die("UDP_GRO");
    shared.port = ntohs(address.sin_port);
    shared.ready = true;
    std::vector<std::byte> buffer(65'536);
    std::uint64_t packets = 0, messages = 0;
    while (!shared.stop) {
        sockaddr_in peer;
        socklen_t length = sizeof peer;
        const ssize_t got =
            recvfrom(fd, buffer.data(), buffer.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&peer), &length);
        if (got < 0) continue;
        for (std::size_t at = 0; at < static_cast<std::size_t>(got); at += layout.packet_bytes) {
            const std::span packet = std::span(buffer).subspan(at, layout.packet_bytes);
            if (load_le<std::uint32_t>(&packet[8]) != static_cast<std::uint32_t>(packets)) bench::die("loss check");
            if (!key.open(packet, header_bytes, packets++)) bench::die("open");
            const std::byte* message = &packet[header_bytes + frame_bytes];
            for (std::size_t i = 0; i < layout.messages; ++i, message += layout.message_bytes)
                bench::check_message(message, layout.message_bytes, messages++);
        }
        shared.received.store(messages, std::memory_order_relaxed);
        sendto(fd, &packets, sizeof packets, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&peer), length);
    }
}

/// Seals trains as long as the window allows.
class Sender {
  public:
    Sender(bench::Shared& shared, const Layout& layout, crypto::PacketKey key)
        : shared_(shared), layout_(layout), key_(std::move(key)), train_(layout.packets * layout.packet_bytes) {
        sockaddr_in address;
        fd_ = open_socket(address);
        address.sin_port = htons(static_cast<std::uint16_t>(shared.port.load()));
        const int segment = static_cast<int>(layout.packet_bytes);
        if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            setsockopt(fd_, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0)
            bench::die("connect");
    }

    void run(std::uint64_t duration_ns) {
        const std::uint64_t start = bench::now_ns();
        while (bench::now_ns() < start + duration_ns) {
            take_acknowledgements();
            if (packets_ + layout_.packets <= acknowledged_ + window_trains * layout_.packets) send_train();
        }
        bench::report("native_limit", layout_.message_bytes, messages_, shared_, start);
    }

  private:
    void take_acknowledgements() {
        std::uint64_t packets = 0;
        while (recv(fd_, &packets, sizeof packets, MSG_DONTWAIT) == static_cast<ssize_t>(sizeof packets))
            acknowledged_ = std::max(acknowledged_, packets);
    }
    void send_train() {
        for (std::size_t i = 0; i < layout_.packets; ++i) {
            const std::span packet = std::span(train_).subspan(i * layout_.packet_bytes, layout_.packet_bytes);
            packet[0] = std::byte{0x40};
            store_le(&packet[8], static_cast<std::uint32_t>(packets_));
            std::byte* message = &packet[header_bytes + frame_bytes];
            for (std::size_t k = 0; k < layout_.messages; ++k, message += layout_.message_bytes)
                bench::write_message(message, layout_.message_bytes, messages_++);
            key_.seal(packet, header_bytes, packets_++);
        }
        while (send(fd_, train_.data(), train_.size(), 0) < 0)
            if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) bench::die("send");
    }

    bench::Shared& shared_;
    Layout layout_;
    crypto::PacketKey key_;
    std::vector<std::byte> train_;
    int fd_ = -1;
    std::uint64_t packets_ = 0, messages_ = 0, acknowledged_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) bench::usage("native_limit aes|chacha|insecure BYTES SECONDS");
    const std::string_view name = argv[1];
    const auto suite = name == "aes"      ? crypto::Suite::aes256_gcm
                       : name == "chacha" ? crypto::Suite::chacha20_poly1305
                                          : crypto::Suite::insecure;
    const crypto::PacketKey key(suite, {});
    const Layout layout = layout_of(static_cast<std::size_t>(std::atol(argv[2])), key.tag_bytes());
    const auto duration_ns = static_cast<std::uint64_t>(std::atof(argv[3]) * 1e9);
    bench::run_pair(
        bench::Cores::pinned, [&](bench::Shared& shared) { receive(shared, layout, crypto::PacketKey(suite, {})); },
        [&](bench::Shared& shared) { Sender(shared, layout, crypto::PacketKey(suite, {})).run(duration_ns); });
}
