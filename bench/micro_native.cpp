// The cost of a connection of the native transport without a kernel: two of them, back to back in memory, on one core.
// The times per packet are those of both sides together, with the application's part: appending the messages, and
// reading every length and first byte.

#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "codec/native/connection.hpp"
#include "codec/recovery/loss.hpp"

namespace {

using namespace ringpost;

struct Duplex {
    explicit Duplex(crypto::Suite suite, CongestionControl congestion) {
        native::ConnectionOptions options;
        options.channels = 1;
        options.send_log_bytes = 1 << 20;
        options.channel_window = options.connection_window = 8 << 20;
        options.datagram_bytes = 1'472;
        options.receive_window = limits::native_receive_window_max;
        options.congestion = congestion;
        options.fixed = {.rate = 0, .window = 1 << 20};
        native::PeerOptions peer;
        peer.channel_window = peer.connection_window = 8 << 20;
        const crypto::Key key{};
        for (auto& end : ends)
            end = std::make_unique<native::Connection>(0, options, peer, crypto::PacketKey(suite, key),
                                                       crypto::PacketKey(suite, key));
    }

    /// Carries everything that `from` sends to the other; returns the messages delivered.
    std::uint64_t carry(int from, Instant now, std::uint64_t drop_every = 0) {
        std::uint64_t messages = 0;
        native::Connection& to = *ends[1 - from];
        while (const auto train = ends[from]->poll_transmit(now, buffer)) {
            for (std::size_t at = 0; at < train->bytes; at += train->segment_bytes) {
                if (++packets % (drop_every + (drop_every == 0)) == 0 && drop_every > 0) continue;
                to.handle(now, std::span(buffer).subspan(at, std::min(train->segment_bytes, train->bytes - at)));
            }
            while (const auto event = to.poll_event())
                event->run.for_each([&](std::span<const std::byte> message) {
                    sum += std::to_integer<unsigned>(message.front()) + message.size();
                    ++messages;
                });
        }
        return messages;
    }

    std::unique_ptr<native::Connection> ends[2];
    std::vector<std::byte> buffer = std::vector<std::byte>(limits::datagram_bytes_max);
    std::uint64_t packets = 0, sum = 0;
};

void connection(benchmark::State& state, crypto::Suite suite, CongestionControl congestion) {
    const auto bytes = static_cast<std::size_t>(state.range(0));
    Duplex duplex(suite, congestion);
    std::vector<std::byte> messages(bytes * 1'024);
    const std::size_t batch = std::min<std::size_t>(1'024, 200'000 / bytes);
    Instant now = 0;
    std::uint64_t delivered = 0, sent = 0;
    for (auto _ : state) {
        now += 20 * microsecond;
        sent += duplex.ends[0]->send_many(0, messages.data(), bytes, batch);
        delivered += duplex.carry(0, now);
        now += 20 * microsecond;
        duplex.carry(1, now);
        if (duplex.ends[0]->poll_timeout() <= now) duplex.ends[0]->handle_timeout(now);
        if (duplex.ends[1]->poll_timeout() <= now) duplex.ends[1]->handle_timeout(now);
    }
    for (int i = 0; i < 1'000 && delivered < sent; ++i) {
        now += millisecond;
        duplex.ends[0]->handle_timeout(now);
        delivered += duplex.carry(0, now);
        duplex.ends[1]->handle_timeout(now);
        duplex.carry(1, now);
    }
    if (delivered != sent || duplex.ends[0]->statistics().packets_lost > 0) state.SkipWithError("a message was lost");
    benchmark::DoNotOptimize(duplex.sum);
    state.SetItemsProcessed(static_cast<std::int64_t>(delivered));
    state.counters["per_packet"] = benchmark::Counter(static_cast<double>(duplex.packets),
                                                      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.counters["messages_per_packet"] = static_cast<double>(delivered) / static_cast<double>(duplex.packets);
}

BENCHMARK_CAPTURE(connection, insecure_fixed, crypto::Suite::insecure, CongestionControl::fixed)->Arg(64)->Arg(1'024);
BENCHMARK_CAPTURE(connection, insecure_cubic, crypto::Suite::insecure, CongestionControl::cubic)->Arg(64)->Arg(1'024);
BENCHMARK_CAPTURE(connection, aes_fixed, crypto::Suite::aes256_gcm, CongestionControl::fixed)->Arg(64)->Arg(1'024);
BENCHMARK_CAPTURE(connection, chacha_fixed, crypto::Suite::chacha20_poly1305, CongestionControl::fixed)
    ->Arg(64)
    ->Arg(1'024);

/// 64-byte messages, and one of so many packets is lost: what waits for it is kept and delivered later.
void lossy(benchmark::State& state) {
    Duplex duplex(crypto::Suite::insecure, CongestionControl::fixed);
    std::vector<std::byte> messages(64 * 1'024);
    Instant now = 0;
    std::uint64_t delivered = 0;
    for (auto _ : state) {
        now += 20 * microsecond;
        duplex.ends[0]->send_many(0, messages.data(), 64, 1'024);
        delivered += duplex.carry(0, now, static_cast<std::uint64_t>(state.range(0)));
        now += 20 * microsecond;
        duplex.carry(1, now);
        for (auto& end : duplex.ends)
            if (end->poll_timeout() <= now) end->handle_timeout(now);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(delivered));
    state.counters["per_packet"] = benchmark::Counter(static_cast<double>(duplex.packets),
                                                      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.counters["kept_share"] = static_cast<double>(duplex.ends[1]->statistics().messages_kept) /
                                   static_cast<double>(duplex.ends[1]->statistics().messages_delivered);
    benchmark::DoNotOptimize(duplex.sum);
}
BENCHMARK(lossy)->Arg(1'009)->Arg(101)->Arg(11);

/// One message, one packet, one acknowledgement.
void ping_pong(benchmark::State& state) {
    Duplex duplex(crypto::Suite::insecure, CongestionControl::cubic);
    const std::vector<std::byte> message(64);
    Instant now = 0;
    for (auto _ : state) {
        for (const int from : {0, 1}) {
            now += 20 * microsecond;
            duplex.ends[from]->send(0, message);
            duplex.carry(from, now);
        }
    }
    state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(ping_pong);

struct Nothing {
    void on_packet_acked(std::uint64_t, const recovery::SentPacket&) {}
    void on_packet_lost(std::uint64_t, const recovery::SentPacket&) {}
};

/// Acknowledging 64 packets of those in flight; `holes`: each acknowledgement reports 64 ranges.
void acknowledge(benchmark::State& state, bool holes) {
    const auto in_flight = static_cast<std::uint64_t>(state.range(0));
    constexpr std::uint64_t batch = 64;
    recovery::LossDetector loss(2 * recovery::limits::sent_packets_max);
    Nothing owner;
    Instant now = 0;
    const auto send = [&] { loss.on_sent({.at = now, .bytes = 1'000, .flags = recovery::sent_eliciting}); };
    for (std::uint64_t i = 0; i < in_flight; ++i) send();
    std::uint64_t acked = 0;
    std::vector<recovery::PacketRange> ranges;
    for (auto _ : state) {
        now += microsecond;
        for (std::uint64_t i = 0; i < batch; ++i) send();
        acked += batch;
        ranges.clear();
        if (holes) {  // every eighth packet is lost
            std::uint64_t last = acked - 1;
            while (ranges.size() < 64 && last > 8) {
                ranges.push_back({last - 6, last});
                last -= 8;
            }
        }
        if (ranges.empty()) ranges.push_back({0, acked - 1});
        recovery::AckOutcome outcome;
        loss.on_ack(now, ranges, 0, owner, outcome);
        benchmark::DoNotOptimize(outcome);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
}
BENCHMARK_CAPTURE(acknowledge, in_order, false)->Arg(64)->Arg(65'536);
BENCHMARK_CAPTURE(acknowledge, with_holes, true)->Arg(64)->Arg(65'536);

}  // namespace

BENCHMARK_MAIN();
