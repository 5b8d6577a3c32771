#include <functional>
#include <vector>

#include "codec/native/endpoint.hpp"
#include "engine/loop/open.hpp"
#include "engine/os/random.hpp"
#include "tests/bottleneck/flow.hpp"

namespace ringpost::bottleneck {
namespace {

crypto::Key shared_key() {
    crypto::Key key{};
    key[0] = std::byte{7};
    return key;
}

native::EndpointOptions endpoint_options() {
    native::EndpointOptions options;
    options.seed = random_value<crypto::Key>();
    options.connections_max = 16;
    options.connection.send_log_bytes = 16u << 20;
    options.connection.channel_window = 32u << 20;
    options.connection.connection_window = 32u << 20;
    options.start = now();
    return options;
}

template <class Application>
void run(std::uint16_t port, native::Endpoint& endpoint, Application& application) {
    SocketOptions options;
    options.bind = Address::v4(0, 0, 0, 0, port);
    auto socket = UdpSocket::open(options);
    if (!socket) fail(socket.error().text.c_str());
    const auto with = [&](auto& loop) {
        application.stop = [&loop] { loop.stop(); };
        loop.backend().add(std::move(*socket));
        if (port != 0) ready();
        loop.run(endpoint, application);
        return 0;
    };
    const auto note = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
    const auto done = with_loop({.wait = WaitMode::block}, note, with);
    if (!done) fail(done.error().text.c_str());
}

struct Receiver {
    std::function<void()> stop{};
    Progress progress{};

    void on_event(Instant, const native::EndpointEvent& event) {
        if (event.kind != native::EndpointEvent::Kind::of_connection) return;
        if (event.event.kind == native::Event::Kind::closed) stop();
        if (event.event.kind != native::Event::Kind::run) return;
        event.event.run.for_each([&](std::span<const std::byte> message) { progress.add(message); });
    }
    Instant on_turn(Instant at) { return progress.report(at); }
};

struct Sender {
    native::Endpoint& endpoint;
    native::ConnectionNumber connection;
    Amount amount;
    std::function<void()> stop{};
    Instant end = never, report_at = 0;
    bool open = false, full = false, closing = false;
    std::uint64_t sent = 0;
    std::vector<std::byte> piece = std::vector<std::byte>(piece_bytes);
    native::Statistics last{};

    void on_event(Instant at, const native::EndpointEvent& event) {
        if (event.kind == native::EndpointEvent::Kind::failed) fail("connect");
        if (event.kind == native::EndpointEvent::Kind::opened) {
            open = true;
            if (amount.time != never) end = at + amount.time;
        }
        if (event.kind != native::EndpointEvent::Kind::of_connection) return;
        if (event.event.kind == native::Event::Kind::writable) full = false;
        if (event.event.kind == native::Event::Kind::closed) {
            if (!event.event.outcome.all_delivered) fail("delivery");
            stop();
        }
    }
    Instant on_turn(Instant at) {
        if (at >= end) stop();
        if (open && !full && !closing) fill();
        if (sent >= amount.bytes && !closing) {
            endpoint.close(at, connection, never - 1);
            closing = true;
        }
        return std::min(end, report(at));
    }
    void fill() {
        while (sent < amount.bytes) {
            write_piece(piece, sent);
            full = endpoint.send(connection, 0, piece) != native::SendResult::queued;
            if (full) return;
            sent += piece.size();
        }
    }
    Instant report(Instant at) {
        const native::Connection* const now_open = endpoint.find(connection);
        if (now_open == nullptr) return never;
        last = now_open->statistics();
        if (at < report_at) return report_at;
        print_state(at, now_open->window(), static_cast<double>(now_open->rtt().smoothed()) / 1e3, last.packets_lost);
        return report_at = at + report_interval;
    }
};

}  // namespace

void receive_native(std::uint16_t port) {
    native::EndpointOptions options = endpoint_options();
    options.server = native::ServerOptions{};
    options.server->patterns = {crypto::Pattern::nn_psk0};
    options.server->suites = {crypto::Suite::aes256_gcm};
    options.server->psk = shared_key();
    native::Endpoint endpoint(options);
    Receiver receiver;
    run(port, endpoint, receiver);
    receiver.progress.end();
}

void send_native(const Address& to, const Amount& amount) {
    native::Endpoint endpoint(endpoint_options());
    native::ClientOptions options;
    options.pattern = crypto::Pattern::nn_psk0;
    options.keys.psk = shared_key();
    const auto connection = endpoint.connect(now(), to, options);
    if (!connection) fail("connect");
    Sender sender{endpoint, *connection, amount};
    run(0, endpoint, sender);
    std::printf("{");
    for (const auto& counter : native::Statistics::table())
        std::printf("%s\"%s\":%" PRIu64, counter.name == "packets_sent" ? "" : ",", counter.name.data(),
                    sender.last.*counter.member);
    std::printf("}\n");
}

}  // namespace ringpost::bottleneck
