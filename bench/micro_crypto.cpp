// The time to seal and to open one packet in place, by each library and instruction set: 12 bytes of associated data,
// the text, and the tag. The first of a suite is the one that is used; the order in codec/crypto/aead.cpp follows from
// this benchmark. 1,445 B is the text of a packet of 1,473 B, which ends in the middle of a block; 8,972 B fills a
// jumbo frame. Packets are sealed and opened in batches, like trains, from memory that holds several trains.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "codec/crypto/aead.hpp"
#include "codec/crypto/aead_implementation.hpp"

namespace ringpost::crypto {
namespace {

constexpr std::size_t header_bytes = 12;
constexpr std::size_t batch = 64;

struct Packets {
    explicit Packets(std::size_t packet_bytes) : bytes(packet_bytes), memory(batch * packet_bytes, std::byte{0x5a}) {}
    std::span<std::byte> operator[](std::size_t index) { return std::span(memory).subspan(index * bytes, bytes); }

    std::size_t bytes;
    std::vector<std::byte> memory;
};

void seal(benchmark::State& state, const AeadImplementation& implementation, std::size_t text_bytes) {
    PacketKey key(implementation, Key{std::byte{1}});
    Packets packets(header_bytes + text_bytes + key.tag_bytes());
    std::uint64_t number = 0;
    while (state.KeepRunningBatch(batch)) {
        for (std::size_t i = 0; i < batch; ++i) key.seal(packets[i], header_bytes, number++);
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text_bytes));
}

/// Opening restores the plain text, so sealed packets are copied first: the time includes that of a copy.
void open(benchmark::State& state, const AeadImplementation& implementation, std::size_t text_bytes) {
    PacketKey key(implementation, Key{std::byte{1}});
    Packets sealed(header_bytes + text_bytes + key.tag_bytes());
    for (std::size_t i = 0; i < batch; ++i) key.seal(sealed[i], header_bytes, i);
    Packets packets = sealed;
    while (state.KeepRunningBatch(batch)) {
        packets.memory = sealed.memory;
        for (std::size_t i = 0; i < batch; ++i)
            if (!key.open(packets[i], header_bytes, i)) return state.SkipWithError("not opened");
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text_bytes));
}

void expand(benchmark::State& state, const AeadImplementation& implementation) {
    Key key{};
    for (auto _ : state) {
        ++reinterpret_cast<unsigned char&>(key[0]);
        PacketKey expanded(implementation, key);
        benchmark::DoNotOptimize(expanded);
    }
}

std::string suite_name(Suite suite) {
    switch (suite) {
        case Suite::aes256_gcm: return "aes256_gcm";
        case Suite::chacha20_poly1305: return "chacha20_poly1305";
        case Suite::insecure: return "insecure";
    }
    return "unknown";
}

void register_all() {
    for (const AeadImplementation& each : aead_implementations()) {
        const std::string name = suite_name(each.suite) + "/" + each.name + "/";
        for (const std::size_t bytes : {64u, 1'200u, 1'445u, 8'972u}) {
            const std::string size = "/" + std::to_string(bytes);
            benchmark::RegisterBenchmark((name + "seal" + size).c_str(),
                                         [&each, bytes](benchmark::State& state) { seal(state, each, bytes); });
            benchmark::RegisterBenchmark((name + "open" + size).c_str(),
                                         [&each, bytes](benchmark::State& state) { open(state, each, bytes); });
        }
        benchmark::RegisterBenchmark((name + "expand").c_str(),
                                     [&each](benchmark::State& state) { expand(state, each); });
    }
}

}  // namespace
}  // namespace ringpost::crypto

int main(int argc, char** argv) {
    ringpost::crypto::register_all();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
