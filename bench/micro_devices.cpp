// The cost of named devices without a kernel: messages and questions between two endpoints, and adverts.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "codec/devices/endpoint.hpp"

namespace {

using namespace ringpost;
using devices::Endpoint;
using devices::Event;

devices::Options options(std::string name) {
    devices::Options out;
    out.name = std::move(name);
    out.key = {0x0123456789abcdef, 0xfedcba9876543210};
    return out;
}

/// Two devices `a` and `b` with a stream between them.
class Pair {
  public:
    Pair() {
        a.add_interface(0, 0, Address::v4(10, 0, 0, 1, 3'235));
        const Address b_address = Address::v4(10, 0, 0, 2, 3'235);
        b.add_interface(0, 0, b_address);
        const std::string hello = "hello:,:b";
        a.handle(0, Datagram{b_address, 0, std::as_bytes(std::span(hello))});
        const auto request = a.poll_stream(0, buffer_);
        of_a_ = request->stream;
        of_b_ = *b.accept(0, Address::v4(10, 0, 0, 1, 40'000));
        a.handle(0, StreamInput{.kind = StreamInput::Kind::connected, .stream = of_a_, .bytes = {}});
        carry([](const Event&) {});
    }

    /// Transfers everything that both devices have queued and passes every event to on_event.
    template <class OnEvent>
    void carry(OnEvent on_event) {
        bool moved = true;
        while (moved) {
            moved = carry(a, of_a_, b, of_b_, on_event);
            moved |= carry(b, of_b_, a, of_a_, on_event);
        }
    }

    Endpoint a{options("a")}, b{options("b")};
    Instant now = second;

  private:
    template <class OnEvent>
    bool carry(Endpoint& from, StreamIndex mine, Endpoint& to, StreamIndex other, OnEvent on_event) {
        bool moved = false;
        while (const auto request = from.poll_stream(now, buffer_)) {
            moved = true;
            to.handle(now, StreamInput{.kind = StreamInput::Kind::bytes,
                                       .stream = other,
                                       .bytes = std::span(buffer_).first(request->bytes)});
            while (const auto event = to.poll_event()) on_event(*event);
            from.handle(now, StreamInput{.kind = StreamInput::Kind::written, .stream = mine, .bytes = {}});
        }
        while (const auto event = from.poll_event()) on_event(*event);
        return moved;
    }

    std::vector<std::byte> buffer_ = std::vector<std::byte>(limits::stream_write_bytes_max);
    StreamIndex of_a_ = 0, of_b_ = 0;
};

/// Messages of 64 bytes, the given number per write: send(), the copy into the write, splitting, the event.
void messages(benchmark::State& state) {
    const auto in_a_write = state.range(0);
    Pair pair;
    const std::string text(64, 'x');
    std::size_t sent = 0, received = 0, bytes = 0;
    for (auto _ : state) {
        for (std::int64_t i = 0; i < in_a_write; ++i) sent += pair.a.send(pair.now, "b", text) == devices::Sent::queued;
        pair.carry([&](const Event& event) {
            received += event.kind == Event::Kind::message;
            bytes += event.text.size();
        });
    }
    if (sent != received || bytes != 64 * sent || sent < static_cast<std::size_t>(state.iterations()))
        state.SkipWithError("a message did not arrive");
    state.SetItemsProcessed(static_cast<std::int64_t>(received));
}
BENCHMARK(messages)->Arg(1)->Arg(16)->Arg(3'000);

/// Questions asked and answered, the given number at once.
void questions(benchmark::State& state) {
    const auto at_once = state.range(0);
    Pair pair;
    const std::string_view names[] = {"b"};
    std::int64_t answered = 0;
    for (auto _ : state) {
        for (std::int64_t i = 0; i < at_once; ++i) {
            const auto asked = pair.a.ask(pair.now, names, "battery?", pair.now + second);
            benchmark::DoNotOptimize(asked);
        }
        pair.carry([&](const Event& event) {
            if (event.kind == Event::Kind::question) pair.b.answer(pair.now, event.question, "83 %");
            if (event.kind == Event::Kind::answers) answered += event.answers[0].reply == devices::Reply::answered;
        });
    }
    if (answered != state.iterations() * at_once) state.SkipWithError("a question was not answered");
    state.SetItemsProcessed(answered);
}
BENCHMARK(questions)->Arg(1)->Arg(64)->Arg(1'000);

/// Adverts of known names, the given number round robin.
void adverts(benchmark::State& state) {
    const auto names = static_cast<std::uint32_t>(state.range(0));
    Endpoint endpoint(options("a"));
    endpoint.add_interface(0, 0, Address::v4(10, 0, 0, 1, 3'235));
    std::vector<std::string> texts;
    std::vector<Address> sources;
    std::vector<std::byte> buffer(limits::stream_write_bytes_max);
    for (std::uint32_t i = 0; i < names; ++i) {
        texts.push_back("alive:,:device-" + std::to_string(i));
        sources.push_back(Address::v4(10, 1, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i), 3'235));
    }
    Instant now = second;
    std::uint32_t next = 0;
    for (auto _ : state) {
        now += second / names;
        endpoint.handle(now, Datagram{sources[next], 0, std::as_bytes(std::span(texts[next]))});
        while (endpoint.poll_event()) continue;
        next = next + 1 == names ? 0 : next + 1;
    }
    if (endpoint.counters().adverts_taken != static_cast<std::uint64_t>(state.iterations()))
        state.SkipWithError("an advert was not accepted");
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(adverts)->Arg(1'000)->Arg(4'096);

}  // namespace

BENCHMARK_MAIN();
