// What one datagram costs the pure side: made by a source, verified by a sink, returned by an echo.

#include <benchmark/benchmark.h>

#include <vector>

#include "codec/base/crc32c.hpp"
#include "codec/beacon/frame.hpp"
#include "codec/echo/endpoint.hpp"
#include "codec/traffic/sink.hpp"
#include "codec/traffic/source.hpp"

namespace ringpost {
namespace {

traffic::Source make_source(std::size_t bytes) {
    return traffic::Source(
        {.sizes = traffic::Sizes::fixed(bytes), .stream = 7, .train_segments = limits::train_segments_max});
}

void source_train(benchmark::State& state) {
    const auto bytes = static_cast<std::size_t>(state.range(0));
    traffic::Source source = make_source(bytes);
    std::vector<std::byte> buffer(limits::datagram_bytes_max);
    std::int64_t datagrams = 0;
    for (auto _ : state) {
        const auto train = source.poll_transmit(1, buffer);
        datagrams += static_cast<std::int64_t>(segment_count(train->bytes, train->segment_bytes));
        benchmark::DoNotOptimize(buffer.data());
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(datagrams);
}
BENCHMARK(source_train)->Arg(64)->Arg(1400);

/// Trains made beforehand, few enough to stay in the cache as a kernel's copy would; the clock runs for the sink alone.
void sink_train(benchmark::State& state) {
    const auto bytes = static_cast<std::size_t>(state.range(0));
    constexpr std::size_t trains = 64;
    traffic::Source source = make_source(bytes);
    std::vector<std::vector<std::byte>> buffers(trains, std::vector<std::byte>(limits::datagram_bytes_max));
    std::size_t train_bytes = 0;
    for (auto& buffer : buffers) train_bytes = source.poll_transmit(1, buffer)->bytes;
    std::int64_t datagrams = 0;
    std::size_t next = trains;
    std::optional<traffic::Sink> sink;
    for (auto _ : state) {
        if (next == trains) {
            state.PauseTiming();
            sink.emplace(traffic::SinkOptions{.key = {1, 2}});
            next = 0;
            state.ResumeTiming();
        }
        Datagram datagram{Address::v4(127, 0, 0, 1, 9), 0, {}};
        for (std::size_t at = 0; at < train_bytes; at += bytes) {
            datagram.bytes = std::span(buffers[next]).subspan(at, bytes);
            sink->handle(1, datagram);
            ++datagrams;
        }
        ++next;
    }
    if (sink->counters().corrupt + sink->counters().lost + sink->counters().duplicate > 0)
        state.SkipWithError("not verified");
    state.SetItemsProcessed(datagrams);
}
BENCHMARK(sink_train)->Arg(64)->Arg(1400);

void echo_one(benchmark::State& state) {
    echo::Endpoint endpoint;
    const std::vector<std::byte> request(64);
    std::vector<std::byte> buffer(limits::datagram_bytes_max);
    for (auto _ : state) {
        endpoint.handle(1, {Address::v4(127, 0, 0, 1, 9), 0, request});
        benchmark::DoNotOptimize(endpoint.poll_transmit(1, buffer));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(echo_one);

void crc(benchmark::State& state) {
    const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
    for (auto _ : state) benchmark::DoNotOptimize(crc32c(bytes));
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(crc)->Arg(60)->Arg(1396)->Arg(65507);

void beacon_decode(benchmark::State& state) {
    std::vector<std::byte> bytes(beacon::header_bytes + beacon::default_quote.size());
    beacon::encode({.unix_s = 1'700'000'000, .ipv4 = {127, 0, 0, 1}, .port = 5005, .quote = beacon::default_quote},
                   bytes);
    for (auto _ : state) benchmark::DoNotOptimize(beacon::decode(bytes));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(beacon_decode);

}  // namespace
}  // namespace ringpost

BENCHMARK_MAIN();
