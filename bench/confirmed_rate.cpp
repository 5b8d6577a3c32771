// confirmed_rate BACKEND SECONDS: the rate of confirmed 64-byte messages between two processes, one in flight. Both
// processes spin, each on its own core. Prints one JSON object.

#include <string_view>

#include <ringpost/confirmed.hpp>
#include "bench/peer.hpp"
#include "codec/measure/histogram.hpp"
#include "engine/os/clock.hpp"

namespace {

using namespace ringpost;

constexpr std::size_t message_bytes = 64;

confirmed::Messenger open_messenger(BackendChoice backend) {
    confirmed::OpenOptions options{.bind = Address::v4(127, 0, 0, 1, 0),
                                   .engine = {.backend = backend, .wait = WaitMode::spin}};
    options.protocol.reply = confirmed::Reply::to_source;
    auto messenger = confirmed::Messenger::open(options);
    if (!messenger) bench::die(messenger.error().text.c_str());
    return std::move(*messenger);
}

void receive(bench::Shared& shared, BackendChoice backend) {
    auto messenger = open_messenger(backend);
    shared.port = messenger.local().port;
    shared.ready = true;
    const confirmed::Messenger::Handler check = [&](const confirmed::Event& event) {
        if (event.message.text().size() != message_bytes) bench::die("message length check");
        shared.received = shared.received + 1;
    };
    while (!shared.stop) messenger.poll(millisecond, check);
}

void send(bench::Shared& shared, BackendChoice backend, double seconds) {
    auto messenger = open_messenger(backend);
    const Address peer = Address::v4(127, 0, 0, 1, static_cast<std::uint16_t>(shared.port.load()));
    const std::string message(message_bytes, 'm');
    Histogram rtt;
    const Instant start = now(), end = start + static_cast<Duration>(seconds * 1e9);
    Instant at = start;
    std::uint64_t sent = 0;
    for (; at < end; ++sent) {
        const auto answer = messenger.send_and_wait(message, 10 * second, peer);
        if (!answer || answer->outcome != confirmed::Outcome::confirmed) bench::die("send_and_wait");
        const Instant done = now();
        rtt.record(done - at);
        at = done;
    }
    if (shared.received != sent) bench::die("message count check");
    std::printf("{\"confirmed\":%" PRIu64 ",\"rate_per_s\":%.0f,\"rtt_us\":{\"p50\":%.3f,\"p99\":%.3f}}\n", sent,
                static_cast<double>(sent) * 1e9 / static_cast<double>(at - start),
                static_cast<double>(rtt.percentile(50)) / 1e3, static_cast<double>(rtt.percentile(99)) / 1e3);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) bench::usage("confirmed_rate uring|mmsg SECONDS");
    const auto backend = std::string_view(argv[1]) == "uring" ? BackendChoice::uring : BackendChoice::mmsg;
    bench::run_pair(
        bench::Cores::pinned, [&](bench::Shared& shared) { receive(shared, backend); },
        [&](bench::Shared& shared) { send(shared, backend, std::atof(argv[2])); });
}
