// measuring_cost BACKEND on|off SECONDS: round trips per second of a prober with 64 probes in flight to an echo in
// another process, with or without recording histograms. Both processes spin, each on its own core. Every reply is
// verified. Prints one JSON object.

#include <string>
#include <string_view>

#include "bench/peer.hpp"
#include "codec/echo/endpoint.hpp"
#include "codec/traffic/prober.hpp"
#include "engine/loop/open.hpp"

namespace {

using namespace ringpost;

constexpr std::uint32_t window = 64;
constexpr std::uint32_t stream = 64;
constexpr Duration linger = second;

UdpSocket open_socket(const SocketOptions& options) {
    auto socket = UdpSocket::open(options);
    if (!socket) bench::die(socket.error().text.c_str());
    return std::move(*socket);
}

/// Runs use(loop) on a spinning loop; its result is ignored.
template <class Use>
void with_spinning_loop(BackendChoice backend, Use use) {
    const auto ignore_notes = [](const std::string&) {};
    const auto done = with_loop({.backend = backend, .wait = WaitMode::spin}, ignore_notes, use);
    if (!done) bench::die(done.error().text.c_str());
}

/// Stops the loop when over(now) is true.
template <class Loop, class Over>
struct Application {
    Loop& loop;
    Over over;

    template <class Event>
    void on_event(Instant, const Event&) {}
    Instant on_turn(Instant at) {
        if (over(at)) loop.stop();
        return never;
    }
};

void answer(bench::Shared& shared, BackendChoice backend) {
    with_spinning_loop(backend, [&](auto& loop) {
        SocketOptions options;
        options.bind = Address::v4(127, 0, 0, 1, 0);
        const SocketIndex socket = loop.backend().add(open_socket(options));
        shared.port = loop.backend().socket(socket).local().port;
        shared.ready = true;
        echo::Endpoint endpoint;
        Application application{loop, [&](Instant) { return shared.stop.load(); }};
        loop.run(endpoint, application);
        return true;
    });
}

enum class Histograms : std::uint8_t { off, on };

void probe(bench::Shared& shared, BackendChoice backend, Histograms histograms, double seconds) {
    with_spinning_loop(backend, [&](auto& loop) {
        SocketOptions options;
        options.connect = Address::v4(127, 0, 0, 1, static_cast<std::uint16_t>(shared.port.load()));
        options.gro = false;
        loop.backend().add(open_socket(options));
        const Instant start = now();
        traffic::Prober prober({.stream = stream,
                                .window = window,
                                .start = start,
                                .stop = start + static_cast<Duration>(seconds * 1e9),
                                .histograms = histograms == Histograms::on});
        Application application{loop, [&](Instant at) { return prober.finished(at, linger); }};
        loop.run(prober, application);
        const traffic::ProberCounters& counts = prober.counters();
        if (counts.sent == 0 || counts.received != counts.sent || counts.lost() != 0) bench::die("reply check");
        std::printf("{\"histograms\":%s,\"replies\":%" PRIu64 ",\"rate_per_s\":%.0f}\n",
                    histograms == Histograms::on ? "true" : "false", counts.received,
                    static_cast<double>(counts.sent) * 1e9 / static_cast<double>(prober.last_sent_at() - start));
        return true;
    });
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view measuring = argc == 4 ? argv[2] : "";
    if (measuring != "on" && measuring != "off") bench::usage("measuring_cost uring|mmsg on|off SECONDS");
    const auto backend = std::string_view(argv[1]) == "uring" ? BackendChoice::uring : BackendChoice::mmsg;
    bench::run_pair(
        bench::Cores::pinned, [&](bench::Shared& shared) { answer(shared, backend); },
        [&](bench::Shared& shared) {
            probe(shared, backend, measuring == "on" ? Histograms::on : Histograms::off, std::atof(argv[3]));
        });
}
