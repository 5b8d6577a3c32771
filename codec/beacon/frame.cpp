#include "codec/beacon/frame.hpp"

#include <libdeflate.h>

#include <cstring>

#include "codec/base/bytes.hpp"
#include "codec/base/utf8.hpp"

namespace ringpost::beacon {
namespace {

std::uint32_t adler32(std::span<const std::byte> bytes) { return libdeflate_adler32(1, bytes.data(), bytes.size()); }

}  // namespace

std::expected<Frame, FrameError> decode(std::span<const std::byte> bytes) {
    if (bytes.size() < header_bytes) return std::unexpected(FrameError::too_short);
    if (load_be<std::uint32_t>(bytes.data()) != adler32(bytes.subspan(4))) return std::unexpected(FrameError::checksum);
    Frame frame;
    frame.unix_s = load_be<std::uint64_t>(&bytes[4]);
    std::memcpy(frame.ipv4.data(), &bytes[12], frame.ipv4.size());
    frame.port = load_be<std::uint16_t>(&bytes[16]);
    frame.quote = {reinterpret_cast<const char*>(bytes.data()) + header_bytes, bytes.size() - header_bytes};
    if (!is_utf8(frame.quote)) return std::unexpected(FrameError::not_utf8);
    return frame;
}

std::size_t encode(const Frame& frame, std::span<std::byte> out) {
    const std::size_t size = header_bytes + frame.quote.size();
    store_be<std::uint64_t>(&out[4], frame.unix_s);
    std::memcpy(&out[12], frame.ipv4.data(), frame.ipv4.size());
    store_be<std::uint16_t>(&out[16], frame.port);
    if (!frame.quote.empty()) std::memcpy(&out[header_bytes], frame.quote.data(), frame.quote.size());
    store_be<std::uint32_t>(out.data(), adler32(out.subspan(4, size - 4)));
    return size;
}

}  // namespace ringpost::beacon
