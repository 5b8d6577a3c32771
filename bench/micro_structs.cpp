// The cost of struct messages: packing and unpacking, against the lower bound of copying the same bytes with the same
// checksum; and the throughput of the scanner on packets and on several kinds of garbage.

#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <vector>

#include <ringpost/structs/typed.hpp>
#include <ringpost/structs/values.hpp>
#include "codec/structs/scanner.hpp"

namespace ringpost::structs {
namespace {

struct Reading {
    std::uint8_t kind;
    std::uint16_t sensor;
    std::uint32_t count;
    std::uint64_t at;
};
using ReadingMessage = Message<1, "<BHIQ">;
constexpr std::size_t payload_bytes = packed_bytes<"<BHIQ">;
constexpr std::size_t inputs = 4'096;

std::vector<Reading> readings() {
    std::mt19937_64 random(1);
    std::vector<Reading> out(inputs);
    for (Reading& reading : out)
        reading = {static_cast<std::uint8_t>(random()), static_cast<std::uint16_t>(random()),
                   static_cast<std::uint32_t>(random()), random()};
    return out;
}

/// Packets are written and read in batches, like trains. Reading a packet right after writing it in pieces would
/// measure failed store forwarding instead.
constexpr std::size_t batch = 64;
using PacketBytes = std::array<std::byte, ReadingMessage::packet_bytes>;

std::vector<std::array<std::byte, payload_bytes>> payloads() {
    std::vector<std::array<std::byte, payload_bytes>> out;
    for (const Reading& reading : readings()) out.push_back(pack<"<BHIQ">(reading));
    return out;
}

/// The reference: copies a payload and adds its checksum, then verifies the checksum and copies the payload back.
void payload_copied(benchmark::State& state) {
    const auto all = payloads();
    std::vector<std::array<std::byte, payload_bytes>> back(batch);
    std::vector<PacketBytes> packets(batch);
    std::size_t next = 0;
    while (state.KeepRunningBatch(batch)) {
        for (PacketBytes& packet : packets) {
            const auto& payload = all[next++ % inputs];
            std::memcpy(&packet[header_bytes], payload.data(), payload_bytes);
            packet[6] = xor_of(payload);
        }
        benchmark::ClobberMemory();
        for (std::size_t i = 0; i < batch; ++i) {
            const auto payload = std::span(packets[i]).subspan<header_bytes>();
            if (xor_of(payload) != packets[i][6]) return state.SkipWithError("check");
            std::memcpy(back[i].data(), payload.data(), payload_bytes);
        }
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(payload_copied);

/// The same with packing and unpacking instead of copying.
void payload_packed_unpacked(benchmark::State& state) {
    const std::vector<Reading> all = readings();
    std::vector<Reading> back(batch);
    std::vector<PacketBytes> packets(batch);
    std::size_t next = 0;
    while (state.KeepRunningBatch(batch)) {
        for (PacketBytes& packet : packets)
            packet[6] = pack_into<"<BHIQ">(std::span(packet).subspan<header_bytes>(), all[next++ % inputs]);
        benchmark::ClobberMemory();
        for (std::size_t i = 0; i < batch; ++i) {
            const auto payload = std::span(packets[i]).subspan<header_bytes>();
            if (xor_of(payload) != packets[i][6]) return state.SkipWithError("check");
            if (!unpack_into<"<BHIQ">(payload, back[i])) return state.SkipWithError("length");
        }
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(payload_packed_unpacked);

/// The reference for whole packets of unknown length, as in a receiver.
void packet_copied(benchmark::State& state) {
    const auto all = payloads();
    std::vector<std::array<std::byte, payload_bytes>> back(batch);
    std::vector<PacketBytes> packets(batch);
    std::size_t next = 0;
    while (state.KeepRunningBatch(batch)) {
        for (PacketBytes& packet : packets) encode({ReadingMessage::id, all[next++ % inputs]}, packet);
        benchmark::ClobberMemory();
        for (std::size_t i = 0; i < batch; ++i) {
            const auto found = decode(packets[i]);
            if (!found || found->payload.size() != payload_bytes) return state.SkipWithError("lost");
            std::memcpy(back[i].data(), found->payload.data(), payload_bytes);
        }
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(packet_copied);

void packet_typed(benchmark::State& state) {
    const std::vector<Reading> all = readings();
    std::vector<Reading> back(batch);
    std::vector<PacketBytes> packets(batch);
    std::size_t next = 0;
    while (state.KeepRunningBatch(batch)) {
        for (PacketBytes& packet : packets) ReadingMessage::encode_into(packet, all[next++ % inputs]);
        benchmark::ClobberMemory();
        for (std::size_t i = 0; i < batch; ++i) {
            const auto found = decode(packets[i]);
            if (!found || !ReadingMessage::decode_into(*found, back[i])) return state.SkipWithError("lost");
        }
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(packet_typed);

void packet_dynamic(benchmark::State& state) {
    const std::vector<Reading> all = readings();
    const Format format = *Format::parse("<BHIQ");
    std::vector<PacketBytes> packets(batch);
    std::size_t next = 0;
    while (state.KeepRunningBatch(batch)) {
        for (PacketBytes& packet : packets) {
            const Reading& reading = all[next++ % inputs];
            const std::array<Value, 4> values{std::uint64_t{reading.kind}, std::uint64_t{reading.sensor},
                                              std::uint64_t{reading.count}, reading.at};
            const auto payload = std::span(packet).subspan(header_bytes);
            if (!pack(format, values, payload)) state.SkipWithError("not packed");
            write_header(packet.data(), ReadingMessage::id, payload_bytes, xor_of(payload));
        }
        for (const PacketBytes& packet : packets) {
            ValueReader reader(format, decode(packet)->payload);
            while (auto value = reader.next()) benchmark::DoNotOptimize(value);
        }
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(packet_dynamic);

constexpr std::size_t span_bytes = limits::datagram_bytes_max;

/// Scans `bytes`, which contain `packets` packets.
void scan(benchmark::State& state, std::span<const std::byte> bytes, std::size_t packets) {
    for (auto _ : state) {
        Scanner scanner(bytes);
        std::size_t found = 0;
        while (const auto one = scanner.next()) found += one->packet.has_value();
        if (found != packets) state.SkipWithError("wrong number of packets");
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

void scan_packets(benchmark::State& state) {
    const auto payload = std::vector<std::byte>(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
    std::vector<std::byte> bytes(span_bytes);
    std::size_t at = 0, packets = 0;
    for (; at + header_bytes + payload.size() <= span_bytes; ++packets)
        at += encode({7, payload}, std::span(bytes).subspan(at));
    scan(state, std::span(bytes).first(at), packets);
}
BENCHMARK(scan_packets)->Arg(15)->Arg(57)->Arg(1'024)->Arg(65'500);

void scan_random_garbage(benchmark::State& state) {
    std::mt19937_64 random(1);
    std::vector<std::byte> bytes(span_bytes);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    scan(state, bytes, 0);
}
BENCHMARK(scan_random_garbage);

void scan_every_other_ff(benchmark::State& state) {
    std::vector<std::byte> bytes(span_bytes);
    for (std::size_t i = 0; i < span_bytes; i += 2) bytes[i] = std::byte{0xff};
    scan(state, bytes, 0);
}
BENCHMARK(scan_every_other_ff);

void scan_all_ff(benchmark::State& state) { scan(state, std::vector<std::byte>(span_bytes, std::byte{0xff}), 0); }
BENCHMARK(scan_all_ff);

/// Longer than any packet, so that every byte starts a packet of 65,535 bytes with a wrong checksum.
void scan_all_ff_megabyte(benchmark::State& state) {
    scan(state, std::vector<std::byte>(1u << 20, std::byte{0xff}), 0);
}
BENCHMARK(scan_all_ff_megabyte);

/// The worst case of an attacker: a magic every eight bytes, each with a size that reaches almost to the end, and a
/// checksum whose lowest bit is wrong because only the last header sets it.
void scan_magics_with_large_sizes(benchmark::State& state) {
    std::vector<std::byte> bytes(span_bytes, std::byte{0xaa});
    std::byte* header = nullptr;
    for (std::size_t at = 0; at + 1'024 < span_bytes; at += 8) {
        header = &bytes[at];
        write_header(header, 0, ((span_bytes - at) & 0xfefe) - header_bytes, std::byte{0});
    }
    header[6] = std::byte{1};
    scan(state, bytes, 0);
}
BENCHMARK(scan_magics_with_large_sizes);

}  // namespace
}  // namespace ringpost::structs

BENCHMARK_MAIN();
