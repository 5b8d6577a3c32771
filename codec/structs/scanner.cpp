// The checksum of a packet is normally computed directly over its payload. After a mismatch, however, the payload may
// contain another magic, and that one a third, each with a size field that covers almost all of the rest: 64 KiB would
// be read 64 Ki times. Within a payload that has failed (failed_until_), checksums are therefore computed from marks,
// one per 64 bytes, which hold the XOR of all bytes before them: two marks and the bytes at both ends give the XOR of
// any range. Each mark is computed once, when first needed, and kept for the length of a packet. In total, each byte is
// read at most once for a failed packet, once for the marks, and once for a valid packet.

#include "codec/structs/scanner.hpp"

#include <algorithm>

namespace ringpost::structs {

std::byte StretchXor::of(std::span<const std::byte> bytes, std::size_t from, std::size_t until) {
    const std::size_t first = (from + block_bytes - 1) / block_bytes, last = until / block_bytes;
    if (first >= last) return xor_of(bytes.subspan(from, until - from));
    if (marked_ <= first) {
        marked_ = first;
        mark(first) = std::byte{};
    }
    for (; marked_ < last; ++marked_)
        mark(marked_ + 1) = mark(marked_) ^ xor_of(bytes.subspan(marked_ * block_bytes, block_bytes));
    return mark(first) ^ mark(last) ^ xor_of(bytes.subspan(from, first * block_bytes - from)) ^
           xor_of(bytes.subspan(last * block_bytes, until - last * block_bytes));
}

std::byte Scanner::check_of(std::size_t from, std::size_t until) {
    return from < failed_until_ ? stretches_.of(bytes_, from, until) : xor_of(bytes_.subspan(from, until - from));
}

std::optional<Scanner::Found> Scanner::next() {
    const std::size_t start = find_magic(bytes_, at_);
    skipped_ += start - at_;
    at_ = start;
    if (start == bytes_.size()) return std::nullopt;
    Header header;
    auto error = decode_header(bytes_.subspan(start), header);
    if (!error) {
        const std::size_t from = start + header_bytes, until = start + header.packet_bytes;
        if (check_of(from, until) == header.check) {
            at_ = until;
            return Found{start, Packet{header.id, bytes_.subspan(from, until - from)}};
        }
        error = FrameError::checksum;
        failed_until_ = std::max(failed_until_, until);
    }
    ++at_;
    ++skipped_;
    return Found{start, std::unexpected(*error)};
}

}  // namespace ringpost::structs
