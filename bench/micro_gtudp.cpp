// The cost of gtUDP without a kernel: its tables, exchanges between two endpoints, and many peers on one socket.

#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "codec/gtudp/endpoint.hpp"

namespace {

using namespace ringpost;

constexpr SipKey key{0x0123456789abcdef, 0xfedcba9876543210};
const Address server_address = Address::v4(10, 0, 0, 1, 1), client_address = Address::v4(10, 0, 0, 2, 2);

/// As large as the state that both halves keep per exchange: 32 bytes besides the table's own.
struct Exchange {
    gtudp::PeerIndex peer = gtudp::none;
    gtudp::Identity identity = 0;
    gtudp::ExchangeIndex chained = gtudp::none;
    std::uint32_t others[5] = {};
};

/// One insert, one find and one erase with the given number of exchanges in flight; like an answer, it finds and erases
/// the oldest.
void exchange_table(benchmark::State& state) {
    const auto in_flight = static_cast<std::uint32_t>(state.range(0));
    gtudp::ExchangeTable<Exchange> table(1u << 20, key);
    gtudp::Identity newest = 0, oldest = 0;
    while (newest < in_flight - 1) table.insert(1, newest++);
    for (auto _ : state) {
        table.insert(1, newest++);
        table.erase(table.find(1, oldest++));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(exchange_table)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

/// The same with a timer per exchange.
void exchange_table_and_timer(benchmark::State& state) {
    const auto in_flight = static_cast<std::uint32_t>(state.range(0));
    gtudp::ExchangeTable<Exchange> table(1u << 20, key);
    TimerWheel timers(1u << 20);
    gtudp::Identity newest = 0, oldest = 0;
    Instant now = 0;
    const auto begin = [&] { timers.schedule(table.insert(1, newest++), (now += 200) + second); };
    while (newest < in_flight - 1) begin();
    for (auto _ : state) {
        begin();
        const gtudp::ExchangeIndex found = table.find(1, oldest++);
        timers.cancel(found);
        table.erase(found);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(exchange_table_and_timer)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

gtudp::Options options() {
    gtudp::Options out;
    out.key = key;
    out.peers_max = 131'072;
    return out;
}

/// Delivers everything that `from` sends to `to`, with `source` as its address; drains the events of `to`.
std::size_t carry(gtudp::Endpoint& from, gtudp::Endpoint& to, const Address& source, Instant now,
                  std::span<std::byte> buffer) {
    std::size_t messages = 0;
    while (const auto transmit = from.poll_transmit(now, buffer)) {
        to.handle_train(now, {source, 0, buffer.first(transmit->bytes)}, transmit->segment_bytes);
        while (const auto taken = to.poll_messages())
            messages += segment_count(taken->bytes.size(), taken->message_bytes);
        while (to.poll_event()) continue;
    }
    return messages;
}

/// Messages of 64 bytes, 1,024 in flight: DATA, RECV, ACK and the events of both ends.
void exchange_end_to_end(benchmark::State& state) {
    gtudp::Options wanted = options();
    wanted.congestion = CongestionControl::fixed;  // all leave at once
    auto client = std::make_unique<gtudp::Endpoint>(wanted), server = std::make_unique<gtudp::Endpoint>(wanted);
    std::vector<std::byte> buffer(limits::datagram_bytes_max), message(64);
    std::size_t delivered = 0, sent = 0;
    Instant now = 0;
    for (auto _ : state) {
        now += 100 * microsecond;
        for (int i = 0; i < 1'024; ++i) sent += client->send(now, server_address, message).has_value();
        delivered += carry(*client, *server, client_address, now, buffer);
        carry(*server, *client, server_address, now, buffer);
        carry(*client, *server, client_address, now, buffer);
    }
    if (delivered != sent || client->in_flight() > 0) state.SkipWithError("a message was not confirmed");
    state.SetItemsProcessed(static_cast<std::int64_t>(delivered));
}
BENCHMARK(exchange_end_to_end);

/// The work of a server for 64-byte messages; arguments: number of peers, round robin, and messages per train.
void server_of_peers(benchmark::State& state) {
    const auto peers = static_cast<std::uint32_t>(state.range(0)), train = static_cast<std::uint32_t>(state.range(1));
    auto server = std::make_unique<gtudp::Endpoint>(options());
    const gtudp::Codec codec;
    std::vector<std::byte> buffer(limits::datagram_bytes_max), data(codec.header_bytes() + 64);
    std::vector<std::byte> ack(codec.header_bytes());
    std::vector<gtudp::Identity> next(peers);
    std::uint32_t peer = 0;
    std::size_t delivered = 0;
    Instant now = 0;
    for (auto _ : state) {
        now += train * 200;
        const Address from =
            Address::v4(10, 1, static_cast<std::uint8_t>(peer >> 16), static_cast<std::uint8_t>(peer >> 8),
                        static_cast<std::uint16_t>(1 + peer % 256));
        for (std::uint32_t i = 0; i < train; ++i) {
            codec.write_header(data.data(), gtudp::Kind::data, next[peer] + i);
            server->handle(now, {from, 0, data});
        }
        while (const auto event = server->poll_event()) ++delivered;
        while (server->poll_transmit(now, buffer)) continue;
        for (std::uint32_t i = 0; i < train; ++i) {
            codec.write_header(ack.data(), gtudp::Kind::ack, next[peer]++);
            server->handle(now, {from, 0, ack});
        }
        peer = peer + 1 == peers ? 0 : peer + 1;
    }
    const auto expected = static_cast<std::size_t>(state.iterations()) * train;
    // A full table may evict a waiting exchange of a peer that has not acknowledged anything yet: one in millions.
    if (delivered != expected || server->counters().ack_unknown > 1 + delivered / 1'000'000)
        state.SkipWithError("a message was not delivered");
    state.SetItemsProcessed(static_cast<std::int64_t>(delivered));
}
BENCHMARK(server_of_peers)->ArgsProduct({{1, 100'000}, {1, 32}});

}  // namespace

BENCHMARK_MAIN();
