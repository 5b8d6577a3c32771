#include "codec/traffic/frame.hpp"

#include <cstring>

#include "codec/base/bytes.hpp"

namespace ringpost::traffic {

std::vector<std::byte> make_fill(std::size_t count) {
    // The pattern has no short period, so a compressing link or a shifted copy is detected.
    std::vector<std::byte> fill(count);
    std::uint32_t state = 0x9e3779b9;
    for (std::byte& byte : fill) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        byte = static_cast<std::byte>(state);
    }
    return fill;
}

void encode(const Frame& frame, std::span<std::byte> out) {
    store_le<std::uint32_t>(&out[4], frame.stream);
    store_le<std::uint64_t>(&out[8], frame.sequence);
    store_le<std::uint64_t>(&out[16], static_cast<std::uint64_t>(frame.due));
    store_le<std::uint32_t>(out.data(), crc32c(out.subspan(4)));
}

FrameWriter::FrameWriter(std::size_t frame_bytes)
    : frame_bytes_(frame_bytes), fill_(make_fill(frame_bytes - frame_bytes_min)), fill_crc_(fill_) {
    const std::uint32_t zero = frame_crc({});
    for (std::uint64_t byte = 0; byte < low_byte_.size(); ++byte)
        low_byte_[byte] = frame_crc({.sequence = byte}) ^ zero;
}

void FrameWriter::prepare(std::span<std::byte> out, std::size_t count) const {
    if (fill_.empty()) return;
    for (std::size_t i = 0; i < count; ++i)
        std::memcpy(&out[i * frame_bytes_ + frame_bytes_min], fill_.data(), fill_.size());
}

std::uint32_t FrameWriter::frame_crc(const Frame& frame) const {
    std::byte head[frame_bytes_min - 4];
    store_le<std::uint32_t>(&head[0], frame.stream);
    store_le<std::uint64_t>(&head[4], frame.sequence);
    store_le<std::uint64_t>(&head[12], static_cast<std::uint64_t>(frame.due));
    return fill_crc_.append_to(crc32c(head));
}

void FrameWriter::write(std::byte* out, const Frame& first, std::size_t count) const {
    std::uint32_t crc_of_zero_byte = 0;
    for (std::size_t i = 0; i < count; ++i, out += frame_bytes_) {
        const std::uint64_t sequence = first.sequence + i;
        const std::uint64_t low_byte = sequence & 0xff;
        if (i == 0 || low_byte == 0) crc_of_zero_byte = frame_crc({first.stream, sequence - low_byte, first.due});
        store_le<std::uint32_t>(out, crc_of_zero_byte ^ low_byte_[low_byte]);
        store_le<std::uint32_t>(out + 4, first.stream);
        store_le<std::uint64_t>(out + 8, sequence);
        store_le<std::uint64_t>(out + 16, static_cast<std::uint64_t>(first.due));
    }
}

}  // namespace ringpost::traffic
