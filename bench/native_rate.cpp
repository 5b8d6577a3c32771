// native_rate SUITE BYTES BACKEND SECONDS: the rate of messages of BYTES (16 or more) over one connection of the native
// transport between two processes. SUITE is aes, chacha or insecure. The receiver checks the number and the content of
// every message. Both processes spin, each on its own core. Prints one JSON object.

#include <algorithm>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "bench/peer.hpp"
#include "codec/base/bytes.hpp"
#include "codec/native/endpoint.hpp"
#include "engine/loop/open.hpp"
#include "engine/os/clock.hpp"

namespace {

using namespace ringpost;

constexpr std::size_t batch_bytes = 256 << 10;  ///< several trains a turn, so that few are short

native::EndpointOptions options_of(std::byte seed) {
    native::EndpointOptions options;
    options.seed.fill(seed);
    options.connections_max = 16;
    options.connection.send_log_bytes = 8u << 20;
    options.connection.channel_window = 8u << 20;
    options.connection.connection_window = 16u << 20;
    options.connection.message_bytes_max = 4u << 20;
    options.start = now();
    return options;
}

UdpSocket open_socket() {
    SocketOptions options;
    options.bind = Address::v4(127, 0, 0, 1, 0);
    auto socket = UdpSocket::open(options);
    if (!socket) bench::die(socket.error().text.c_str());
    return std::move(*socket);
}

template <class Application>
void run(BackendChoice backend, UdpSocket socket, native::Endpoint& endpoint, Application& application) {
    const auto with = [&](auto& loop) {
        application.stop = [&loop] { loop.stop(); };
        loop.backend().add(std::move(socket));
        loop.run(endpoint, application);
        return 0;
    };
    const auto note = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
    const auto done = with_loop({.backend = backend, .wait = WaitMode::spin}, note, with);
    if (!done) bench::die(done.error().text.c_str());
}

/// The number of the message, then bytes that depend on it.
void write_message(std::span<std::byte> message, std::uint64_t number) {
    store_le(message.data(), number);
    std::fill(message.begin() + 8, message.end(), static_cast<std::byte>(number * 31));
}

/// Whether each byte is `filler`, eight at a time.
bool is_filled(std::span<const std::byte> bytes, std::byte filler) {
    const std::uint64_t eight = 0x0101'0101'0101'0101 * std::to_integer<std::uint64_t>(filler);
    std::uint64_t wrong = 0;
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) wrong |= load_le<std::uint64_t>(&bytes[at]) ^ eight;
    for (; at < bytes.size(); ++at) wrong |= std::to_integer<std::uint64_t>(bytes[at] ^ filler);
    return wrong == 0;
}

struct Receiver {
    bench::Shared& shared;
    std::size_t message_bytes;
    std::function<void()> stop{};
    std::uint64_t next = 0;
    std::vector<std::byte> expected{};

    void on_event(Instant, const native::EndpointEvent& event) {
        if (event.kind != native::EndpointEvent::Kind::of_connection) return;
        if (event.event.kind != native::Event::Kind::run) return;
        event.event.run.for_each([&](std::span<const std::byte> message) {
            if (message.size() != message_bytes || load_le<std::uint64_t>(message.data()) != next)
                bench::die("sequence check");
            if (!is_filled(message.subspan(8), static_cast<std::byte>(next * 31))) bench::die("content check");
            ++next;
        });
    }
    Instant on_turn(Instant) {
        shared.received.store(next, std::memory_order_relaxed);
        if (shared.stop) stop();
        return never;
    }
};

struct Sender {
    bench::Shared& shared;
    native::Endpoint& endpoint;
    std::size_t message_bytes;
    Instant end;
    std::function<void()> stop{};
    native::ConnectionNumber connection{};
    bool open = false, full = false;
    std::uint64_t sent = 0;
    std::vector<std::byte> batch{};

    void on_event(Instant, const native::EndpointEvent& event) {
        if (event.kind == native::EndpointEvent::Kind::failed) bench::die("connect");
        if (event.kind == native::EndpointEvent::Kind::opened) open = true;
        if (event.kind != native::EndpointEvent::Kind::of_connection) return;
        if (event.event.kind == native::Event::Kind::writable) full = false;
        if (event.event.kind == native::Event::Kind::closed) bench::die("the connection has ended, so it");
    }
    Instant on_turn(Instant at) {
        if (at >= end) {
            if (shared.received == sent) stop();
            if (at > end + 5 * second) bench::die("message count check");
            return never;
        }
        if (open && !full) fill();
        return never;
    }
    void fill() {
        const std::size_t count = std::max<std::size_t>(batch_bytes / message_bytes, 1);
        batch.resize(count * message_bytes);
        for (std::size_t i = 0; i < count; ++i)
            write_message(std::span(batch).subspan(i * message_bytes, message_bytes), sent + i);
        const std::size_t taken = endpoint.send_many(connection, 0, batch.data(), message_bytes, count);
        sent += taken;
        full = taken < count;
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) bench::usage("native_rate aes|chacha|insecure BYTES uring|mmsg SECONDS");
    const std::string_view name = argv[1];
    const auto suite = name == "aes"      ? crypto::Suite::aes256_gcm
                       : name == "chacha" ? crypto::Suite::chacha20_poly1305
                                          : crypto::Suite::insecure;
    const auto message_bytes = static_cast<std::size_t>(std::atol(argv[2]));
    const auto backend = std::string_view(argv[3]) == "uring" ? BackendChoice::uring : BackendChoice::mmsg;
    const auto duration = static_cast<Duration>(std::atof(argv[4]) * 1e9);
    crypto::Key psk{};
    psk[0] = std::byte{7};

    const auto receive = [&](bench::Shared& shared) {
        native::EndpointOptions options = options_of(std::byte{1});
        options.server = native::ServerOptions{};
        options.server->patterns = {crypto::Pattern::nn_psk0};
        options.server->suites = {suite};
        options.server->psk = psk;
        native::Endpoint endpoint(options);
        Receiver receiver{shared, message_bytes};
        UdpSocket socket = open_socket();
        shared.port = socket.local().port;
        shared.ready = true;
        run(backend, std::move(socket), endpoint, receiver);
    };
    const auto send = [&](bench::Shared& shared) {
        native::Endpoint endpoint(options_of(std::byte{2}));
        const Instant start = now();
        Sender sender{shared, endpoint, message_bytes, start + duration};
        native::ClientOptions options;
        options.pattern = crypto::Pattern::nn_psk0;
        options.suite = suite;
        options.keys.psk = psk;
        const auto port = static_cast<std::uint16_t>(shared.port.load());
        const auto connection = endpoint.connect(start, Address::v4(127, 0, 0, 1, port), options);
        if (!connection) bench::die("connect");
        sender.connection = *connection;
        run(backend, open_socket(), endpoint, sender);
        const double duration_s = static_cast<double>(now() - start) / 1e9;
        const native::Connection* const ended = endpoint.find(sender.connection);
        if (ended == nullptr) bench::die("the connection has ended, so it");
        const native::Statistics& counts = ended->statistics();
        std::printf("{\"messages\":%" PRIu64 ",\"bytes\":%zu,\"rate_per_s\":%.0f,\"packets_sent\":%" PRIu64
                    ",\"packets_lost\":%" PRIu64 ",\"acks_received\":%" PRIu64 ",\"window_bytes\":%" PRIu64
                    ",\"rtt_us\":%.1f}\n",
                    sender.sent, message_bytes, static_cast<double>(sender.sent) / duration_s, counts.packets_sent,
                    counts.packets_lost, counts.acks_received, ended->window(),
                    static_cast<double>(ended->rtt().smoothed()) / 1e3);
    };
    bench::run_pair(bench::Cores::pinned, receive, send);
}
