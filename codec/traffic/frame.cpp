#include "codec/traffic/frame.hpp"

#include <array>
#include <cstring>

#include "codec/base/bytes.hpp"
#include "codec/base/limits.hpp"

namespace ringpost::traffic {

namespace {

/// The pattern has no short period, so a compressing link or a shifted copy is detected.
constexpr auto fill_bytes = [] {
    std::array<std::byte, limits::datagram_bytes_max - frame_bytes_min> fill{};
    std::uint32_t state = 0x9e3779b9;
    for (std::byte& byte : fill) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        byte = static_cast<std::byte>(state);
    }
    return fill;
}();

}  // namespace

std::span<const std::byte> fill_of(std::size_t count) { return std::span(fill_bytes).first(count); }

void encode(const Frame& frame, std::span<std::byte> out) {
    store_le<std::uint32_t>(&out[4], frame.stream);
    store_le<std::uint64_t>(&out[8], frame.sequence);
    store_le<std::uint64_t>(&out[16], static_cast<std::uint64_t>(frame.due));
    store_le<std::uint32_t>(out.data(), crc32c(out.subspan(4)));
}

HeaderWriter::HeaderWriter(std::span<const std::byte> fill)
    : frame_bytes_(frame_bytes_min + fill.size()), fill_crc_(fill) {
    const std::uint32_t zero = frame_crc({});
    for (std::uint64_t value = 1; value <= 0x80; value <<= 1) {
        low_byte_[value] = frame_crc({.sequence = value}) ^ zero;
        for (std::size_t byte = 0; byte < due_bytes; ++byte)
            due_bytes_[byte][value] = frame_crc({.due = static_cast<Instant>(value << 8 * byte)}) ^ zero;
    }
    complete_linear_table(low_byte_);
    for (Table& table : due_bytes_) complete_linear_table(table);
}

void HeaderWriter::write(std::byte* out, const Frame& first, std::size_t count) const {
    std::uint64_t head_of_low_byte_0 = 0;
    for (std::size_t i = 0; i < count; ++i, out += frame_bytes_) {
        const std::uint64_t sequence = first.sequence + i, low_byte = sequence & 0xff;
        if (i == 0 || low_byte == 0) head_of_low_byte_0 = head_of({first.stream, sequence - low_byte, first.due});
        store_le<std::uint64_t>(out, head_of_low_byte_0 ^ low_byte_[low_byte]);
        store_le<std::uint64_t>(out + 8, sequence);
        store_le<std::uint64_t>(out + 16, static_cast<std::uint64_t>(first.due));
    }
}

std::uint32_t HeaderWriter::frame_crc(const Frame& frame) const {
    std::byte head[frame_bytes_min - 4];
    store_le<std::uint32_t>(&head[0], frame.stream);
    store_le<std::uint64_t>(&head[4], frame.sequence);
    store_le<std::uint64_t>(&head[12], static_cast<std::uint64_t>(frame.due));
    return fill_crc_.append_to(crc32c(head));
}

void FrameWriter::prepare(std::span<std::byte> out, std::size_t count) const {
    if (fill_.empty()) return;
    for (std::size_t i = 0; i < count; ++i)
        std::memcpy(&out[i * frame_bytes() + frame_bytes_min], fill_.data(), fill_.size());
}

}  // namespace ringpost::traffic
