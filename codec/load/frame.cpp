#include "codec/load/frame.hpp"

#include <cstring>

#include "codec/base/bytes.hpp"

namespace ringpost::load {
namespace {

std::vector<std::byte> make_fill(std::size_t count) {
    // A pattern with no short period, so that neither a compressing link nor a shifted copy looks right.
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

}  // namespace

std::optional<Frame> decode(std::span<const std::byte> bytes) {
    if (bytes.size() < frame_bytes_min) return std::nullopt;
    if (load_le<std::uint32_t>(bytes.data()) != crc32c(bytes.subspan(4))) return std::nullopt;
    Frame frame{.stream = load_le<std::uint32_t>(&bytes[4]),
                .sequence = load_le<std::uint64_t>(&bytes[8]),
                .due = static_cast<Instant>(load_le<std::uint64_t>(&bytes[16]))};
    if (frame.sequence >= sequence_end) return std::nullopt;
    return frame;
}

FrameWriter::FrameWriter(std::size_t frame_bytes)
    : frame_bytes_(frame_bytes), fill_(make_fill(frame_bytes - frame_bytes_min)), fill_crc_(fill_) {}

void FrameWriter::prepare(std::span<std::byte> out, std::size_t count) const {
    if (fill_.empty()) return;
    for (std::size_t i = 0; i < count; ++i)
        std::memcpy(&out[i * frame_bytes_ + frame_bytes_min], fill_.data(), fill_.size());
}

void FrameWriter::write(std::byte* out, const Frame& frame) const {
    std::byte head[frame_bytes_min - 4];
    store_le<std::uint32_t>(&head[0], frame.stream);
    store_le<std::uint64_t>(&head[4], frame.sequence);
    store_le<std::uint64_t>(&head[12], static_cast<std::uint64_t>(frame.due));
    store_le<std::uint32_t>(out, fill_crc_.append_to(crc32c(head)));
    std::memcpy(out + 4, head, sizeof head);
}

}  // namespace ringpost::load
