// native_rate SUITE BYTES BACKEND SECONDS [CONNECTIONS]: the rate of messages of BYTES (16 or more) over one or several
// connections of the native transport between two sockets of two processes. SUITE is aes, chacha or insecure. The
// receiver checks the number and the content of every message of each connection. Both processes spin, each on its own
// core. Prints one JSON object.

#include <algorithm>
#include <bit>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "bench/peer.hpp"
#include "codec/native/endpoint.hpp"
#include "engine/loop/open.hpp"
#include "engine/os/clock.hpp"

namespace {

using namespace ringpost;

constexpr std::size_t batch_bytes = 256 << 10;  ///< several trains a turn, so that few are short
constexpr std::uint32_t handshakes_at_once = 128;

/// Of all connections together 8 MiB in flight, but of each at least 64 KiB.
native::EndpointOptions options_of(std::byte seed, std::size_t message_bytes, std::uint32_t connections) {
    native::EndpointOptions options;
    options.seed.fill(seed);
    options.connections_max = std::bit_ceil(connections + 1);
    const std::size_t log_bytes = std::bit_ceil(std::max<std::size_t>((8u << 20) / connections, 64u << 10));
    options.connection.send_log_bytes = std::max(log_bytes, std::bit_ceil(2 * message_bytes));
    options.connection.channels = 1;
    options.connection.channel_window = std::max<std::uint64_t>(8u << 20, 4 * message_bytes);
    options.connection.connection_window = 2 * options.connection.channel_window;
    options.connection.message_bytes_max = static_cast<std::uint32_t>(options.connection.channel_window / 2);
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

/// Many connections at once overflow the receive buffer again and again, and each waits for its own probe timeouts.
constexpr Duration drained_within = 60 * second;

struct Receiver {
    bench::Shared& shared;
    std::size_t message_bytes;
    std::function<void()> stop{};
    std::vector<std::uint64_t> next{};  ///< by connection
    std::uint64_t received = 0;

    void on_event(Instant, const native::EndpointEvent& event) {
        if (event.kind == native::EndpointEvent::Kind::opened)
            next.resize(std::max<std::size_t>(next.size(), event.connection.index + 1));
        if (event.kind != native::EndpointEvent::Kind::of_connection) return;
        if (event.event.kind != native::Event::Kind::run) return;
        std::uint64_t& expected = next[event.connection.index];
        event.event.run.for_each([&](std::span<const std::byte> message) {
            if (message.size() != message_bytes) bench::die("size check");
            bench::check_message(message.data(), message.size(), expected++);
            ++received;
        });
    }
    Instant on_turn(Instant) {
        shared.received.store(received, std::memory_order_relaxed);
        if (shared.stop) stop();
        return never;
    }
};

/// Opens all connections, and then fills their logs in turn. What is received counts once the memory of all logs was
/// used.
struct Sender {
    bench::Shared& shared;
    native::Endpoint& endpoint;
    std::size_t message_bytes;
    Address server;
    native::ClientOptions options;
    std::uint32_t wanted;   ///< connections
    std::uint64_t warm_up;  ///< messages
    Duration duration;
    std::function<void()> stop{};

    struct Outgoing {
        native::ConnectionNumber number;
        std::uint64_t sent = 0;
        bool full = false;
    };
    std::vector<Outgoing> all{};
    std::uint32_t opened = 0;
    bool all_open = false;
    std::size_t turn = 0;  ///< whose turn it is
    std::uint64_t sent = 0;
    std::uint64_t received_before = 0, received = 0;  ///< when the duration began, and in it
    Instant started_at = never, ended_at = never;
    std::vector<std::byte> one = std::vector<std::byte>(message_bytes);  ///< at the end of a log

    void on_event(Instant, const native::EndpointEvent& event) {
        if (event.kind == native::EndpointEvent::Kind::failed) bench::die("connect");
        if (event.kind == native::EndpointEvent::Kind::opened && ++opened == wanted) all_open = true;
        if (event.kind != native::EndpointEvent::Kind::of_connection) return;
        if (event.event.kind == native::Event::Kind::writable) all[event.connection.index].full = false;
        if (event.event.kind == native::Event::Kind::closed) bench::die("the connection has ended, so it");
    }
    Instant on_turn(Instant at) {
        while (all.size() < wanted && all.size() < opened + handshakes_at_once) {
            const auto number = endpoint.connect(at, server, options);
            if (!number || number->index != all.size()) bench::die("connect");
            all.push_back({*number});
        }
        if (!all_open) return never;
        if (started_at == never && sent >= warm_up) {
            started_at = at;
            received_before = shared.received;
        }
        if (started_at == never || at < started_at + duration) {
            fill();
        } else {
            if (ended_at == never) {
                ended_at = at;
                received = shared.received - received_before;
            }
            if (shared.received == sent) stop();
            if (at > started_at + duration + drained_within) bench::die("message count check");
        }
        return never;
    }
    /// Messages, written where they wait to be sent. Returns how many had space.
    std::size_t put(Outgoing& to, std::size_t count) {
        std::size_t done = 0;
        while (done < count) {
            const native::Reserved space = endpoint.reserve(to.number, 0, message_bytes, count - done);
            for (std::size_t i = 0; i < space.count; ++i)
                bench::write_message(space.at + i * space.stride, message_bytes, to.sent + i);
            endpoint.commit(to.number, 0, space.count);
            to.sent += space.count;
            done += space.count;
            if (space.count > 0) continue;
            bench::write_message(one.data(), one.size(), to.sent);
            if (endpoint.send(to.number, 0, one) != native::SendResult::queued) break;
            ++to.sent;
            ++done;
        }
        return done;
    }
    /// A batch, divided among as many connections as get a train each.
    void fill() {
        const std::size_t count = std::max<std::size_t>(batch_bytes / message_bytes, 1);
        const std::size_t share = wanted == 1 ? count : std::max<std::size_t>(44 * 1'400 / message_bytes, 1);
        for (std::size_t left = count, looked = 0; left > 0 && looked < all.size(); ++looked) {
            Outgoing& to = all[turn++ % all.size()];
            if (to.full) continue;
            const std::size_t some = std::min(share, left);
            const std::size_t taken = put(to, some);
            sent += taken;
            to.full = taken < some;
            left -= some;
        }
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5 || argc > 6) bench::usage("native_rate aes|chacha|insecure BYTES uring|mmsg SECONDS [CONNECTIONS]");
    const std::string_view name = argv[1];
    const auto suite = name == "aes"      ? crypto::Suite::aes256_gcm
                       : name == "chacha" ? crypto::Suite::chacha20_poly1305
                                          : crypto::Suite::insecure;
    const auto message_bytes = static_cast<std::size_t>(std::atol(argv[2]));
    const auto backend = std::string_view(argv[3]) == "uring" ? BackendChoice::uring : BackendChoice::mmsg;
    const auto duration = static_cast<Duration>(std::atof(argv[4]) * 1e9);
    const auto connections = static_cast<std::uint32_t>(argc > 5 ? std::atol(argv[5]) : 1);
    if (message_bytes < 16 || connections < 1) bench::usage("native_rate: BYTES from 16 on, CONNECTIONS from 1 on");
    crypto::Key psk{};
    psk[0] = std::byte{7};

    const auto receive = [&](bench::Shared& shared) {
        native::EndpointOptions options = options_of(std::byte{1}, message_bytes, connections);
        options.server = native::ServerOptions{};
        options.server->patterns = {crypto::Pattern::nn_psk0};
        options.server->suites = {suite};
        options.server->psk = psk;
        options.server->handshakes_per_second = UINT32_MAX;
        native::Endpoint endpoint(options);
        Receiver receiver{shared, message_bytes};
        UdpSocket socket = open_socket();
        shared.port = socket.local().port;
        shared.ready = true;
        run(backend, std::move(socket), endpoint, receiver);
    };
    const auto send = [&](bench::Shared& shared) {
        native::Endpoint endpoint(options_of(std::byte{2}, message_bytes, connections));
        const auto port = static_cast<std::uint16_t>(shared.port.load());
        Sender sender{
            shared,
            endpoint,
            message_bytes,
            Address::v4(127, 0, 0, 1, port),
            {.pattern = crypto::Pattern::nn_psk0, .suite = suite, .keys = {.local = {}, .psk = psk}},
            connections,
            connections * options_of({}, message_bytes, connections).connection.send_log_bytes / message_bytes,
            duration};
        run(backend, open_socket(), endpoint, sender);
        const double duration_s = static_cast<double>(sender.ended_at - sender.started_at) / 1e9;
        const native::Connection* const first = endpoint.find(sender.all.front().number);
        if (first == nullptr) bench::die("the connection has ended, so it");
        const native::Statistics& counts = first->statistics();
        std::printf("{\"messages\":%" PRIu64 ",\"bytes\":%zu,\"connections\":%" PRIu32
                    ",\"rate_per_s\":%.0f,\"packets_sent\":%" PRIu64 ",\"packets_lost\":%" PRIu64
                    ",\"acks_received\":%" PRIu64 ",\"window_bytes\":%" PRIu64 ",\"rtt_us\":%.1f}\n",
                    sender.received, message_bytes, connections, static_cast<double>(sender.received) / duration_s,
                    counts.packets_sent, counts.packets_lost, counts.acks_received, first->window(),
                    static_cast<double>(first->rtt().smoothed()) / 1e3);
    };
    bench::run_pair(bench::Cores::pinned, receive, send);
}
