// engine_rate BACKEND template|engine SECONDS: the rate of verified 64-byte datagrams, in trains, between two processes
// whose endpoints run on the internal loop template or on the public Engine. Prints one JSON object.

#include <string>
#include <string_view>

#include <ringpost/engine.hpp>
#include "bench/peer.hpp"
#include "codec/traffic/sink.hpp"
#include "codec/traffic/source.hpp"
#include "engine/loop/open.hpp"

namespace {

using namespace ringpost;

enum class Driver : std::uint8_t { loop_template, engine };

[[noreturn]] void fail(const Error& error) { bench::die(error.text.c_str()); }

/// The application of the loop: calls over(now) each turn, and stops when it returns true.
template <class AnyLoop, class Over>
struct Application {
    AnyLoop& loop;
    Over over;

    template <class Event>
    void on_event(Instant, const Event&) {}
    Instant on_turn(Instant at) {
        if (over(at)) loop.stop();
        return at + millisecond;
    }
};

/// Runs the endpoint that make(socket) returns on a socket, until over(endpoint, now). begin() receives its address.
template <class Make, class Begin, class Over>
void drive(Driver driver, BackendChoice backend, const SocketOptions& options, Begin begin, Make make, Over over) {
    const EngineOptions engine_options{.backend = backend, .wait = WaitMode::spin};
    if (driver == Driver::engine) {
        auto engine = Engine::open(engine_options);
        if (!engine) fail(engine.error());
        const auto socket = engine->open_socket(options);
        if (!socket) fail(socket.error());
        begin(engine->local(*socket));
        auto endpoint = make(*socket);
        const auto ignore = [](Instant, const auto&) {};
        while (!over(endpoint, now())) engine->poll(millisecond, endpoint, ignore);
        return;
    }
    const auto use = [&](auto& loop) {
        auto socket = UdpSocket::open(options);
        if (!socket) fail(socket.error());
        begin(socket->local());
        auto endpoint = make(loop.backend().add(std::move(*socket)));
        Application application{loop, [&](Instant at) { return over(endpoint, at); }};
        loop.run(endpoint, application);
        return true;
    };
    if (const auto done = with_loop(engine_options, [](const std::string&) {}, use); !done) fail(done.error());
}

void receive(bench::Shared& shared, Driver driver, BackendChoice backend) {
    SocketOptions options;
    options.bind = Address::v4(127, 0, 0, 1, 0);
    const auto listening = [&](const Address& local) {
        shared.port = local.port;
        shared.ready = true;
    };
    const auto over = [&](const traffic::Sink& sink, Instant) {
        const traffic::SinkCounters counts = sink.counters();
        if (counts.corrupt > 0 || counts.duplicate > 0) bench::die("verification");
        shared.received.store(counts.received, std::memory_order_relaxed);
        return shared.stop.load(std::memory_order_relaxed);
    };
    drive(driver, backend, options, listening, [](SocketIndex) { return traffic::Sink({}); }, over);
}

void send(bench::Shared& shared, Driver driver, BackendChoice backend, double seconds) {
    SocketOptions options;
    options.connect = Address::v4(127, 0, 0, 1, static_cast<std::uint16_t>(shared.port.load()));
    const Instant start = now(), end = start + static_cast<Duration>(seconds * 1e9);
    const auto make = [&](SocketIndex socket) {
        return traffic::Source({.first_socket = socket, .train_segments = kernel_train_segments(), .stop = end});
    };
    std::uint64_t sent = 0;
    const auto over = [&](const traffic::Source& source, Instant at) {
        sent = source.sent();
        return at >= end;
    };
    drive(driver, backend, options, [](const Address&) {}, make, over);
    const double duration_s = static_cast<double>(now() - start) / 1e9;
    // A receiver that has stood still all the time has received nothing yet.
    while (shared.received == 0 && now() < end + 5 * second) continue;
    const std::uint64_t received = shared.received;
    if (received == 0) bench::die("receiving");
    std::printf("{\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"rate_per_s\":%.0f}\n", sent, received,
                static_cast<double>(received) / duration_s);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view chosen = argc == 4 ? argv[2] : "";
    if (chosen != "template" && chosen != "engine") bench::usage("engine_rate uring|mmsg template|engine SECONDS");
    const auto backend = std::string_view(argv[1]) == "uring" ? BackendChoice::uring : BackendChoice::mmsg;
    const Driver driver = chosen == "engine" ? Driver::engine : Driver::loop_template;
    bench::run_pair(
        bench::Cores::pinned, [&](bench::Shared& shared) { receive(shared, driver, backend); },
        [&](bench::Shared& shared) { send(shared, driver, backend, std::atof(argv[3])); });
}
