// The cost of confirmed messages without a kernel: encoding, decoding, and one message from send to confirmation.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "codec/confirmed/endpoint.hpp"

namespace {

using namespace ringpost;
using confirmed::Value;

confirmed::Frame text_frame(std::int64_t bytes) {
    return {Value::of_text(std::string(static_cast<std::size_t>(bytes), 'm')).value(), confirmed::Status::none};
}

void encode_text(benchmark::State& state) {
    const confirmed::Frame frame = text_frame(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(confirmed::encode(frame));
}
BENCHMARK(encode_text)->Arg(16)->Arg(64)->Arg(900);

void decode_frame(benchmark::State& state, const confirmed::Frame& frame) {
    const std::string text = confirmed::encode(frame);
    for (auto _ : state) {
        auto decoded = confirmed::decode(std::as_bytes(std::span(text)));
        if (!decoded) return state.SkipWithError("does not decode");
        benchmark::DoNotOptimize(*decoded);
    }
}
void decode_text(benchmark::State& state) { decode_frame(state, text_frame(state.range(0))); }
BENCHMARK(decode_text)->Arg(16)->Arg(64)->Arg(900);

void decode_tree(benchmark::State& state) {
    const auto value = Value::of_json(R"([1,-2.5,{"name":"value","list":[true,false,null]},"text"])").value();
    decode_frame(state, {value, confirmed::Status::none});
}
BENCHMARK(decode_tree);

/// The work of both ends for a 64-byte message: send, deliver, confirm, report the outcome.
void send_to_confirmed(benchmark::State& state) {
    const Address alice = Address::v4(10, 0, 0, 1, 5'005), bob = Address::v4(10, 0, 0, 2, 5'005);
    confirmed::Options options;
    options.target = bob;
    auto sending = std::make_unique<confirmed::Endpoint>(options);
    options.target = alice;
    auto receiving = std::make_unique<confirmed::Endpoint>(options);
    const Value message = text_frame(64).message;
    std::vector<std::byte> buffer(limits::datagram_bytes_max);
    const auto carry = [&](confirmed::Endpoint& from, confirmed::Endpoint& to, const Address& source, Instant now) {
        while (const auto transmit = from.poll_transmit(now, buffer))
            to.handle(now, {source, 0, std::span(buffer).first(transmit->bytes)});
        while (const auto event = to.poll_event()) benchmark::DoNotOptimize(*event);
    };
    Instant now = 0;
    for (auto _ : state) {
        now += 10 * microsecond;
        benchmark::DoNotOptimize(sending->send(now, message));
        carry(*sending, *receiving, alice, now);
        carry(*receiving, *sending, bob, now);
    }
    if (sending->counters().confirmed != static_cast<std::uint64_t>(state.iterations()))
        state.SkipWithError("a message was not confirmed");
}
BENCHMARK(send_to_confirmed);

}  // namespace

BENCHMARK_MAIN();
