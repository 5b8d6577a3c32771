// The fill is known, so the frames that a sender would have sent can be made and compared with those received: the
// stream and the first sequence of the train, the sequences that follow, each frame's own due time, the CRC over all
// that, and the fill. Where all bytes are equal the CRC is correct, because it was computed for those bytes. Where they
// are not, decode() decides: a frame may have another fill.
//
// A sequence of sizes that alternate would cost a set of tables for each train, so a size is expected only when two
// trains in a row have it.

#include "codec/traffic/train_checker.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "codec/base/bytes.hpp"

namespace ringpost::traffic {
namespace {

/// Made and compared at once: fits into the first-level cache.
constexpr std::size_t expected_bytes = 16'384;
/// A shorter train gains nothing.
constexpr std::size_t frames_min = 8;
constexpr std::size_t frame_bytes_max = limits::datagram_bytes_max / frames_min;
static_assert(frame_bytes_max <= expected_bytes);

std::size_t equal_frames(const std::byte* a, const std::byte* b, std::size_t count, std::size_t frame_bytes) {
    std::size_t equal = 0;
    while (equal < count && std::memcmp(a + equal * frame_bytes, b + equal * frame_bytes, frame_bytes) == 0) ++equal;
    return equal;
}

}  // namespace

TrainChecker::TrainChecker() : expected_(expected_bytes) {}

std::size_t TrainChecker::intact(std::span<const std::byte> train, std::size_t frame_bytes) {
    if (frame_bytes < frame_bytes_min || train.size() < frames_min * frame_bytes || !expects(frame_bytes)) return 0;
    const std::size_t count = train.size() / frame_bytes, at_once = expected_bytes / frame_bytes;
    const Frame first = header_of(train.data());
    if (first.sequence >= sequence_end - count) return 0;
    for (std::size_t done = 0; done < count;) {
        const std::byte* received = &train[done * frame_bytes];
        const std::size_t part = std::min(count - done, at_once);
        if (!equals_expected(received, {first.stream, first.sequence + done, 0}, part))
            return done + equal_frames(expected_.data(), received, part, frame_bytes);
        done += part;
    }
    return count;
}

/// Makes the frames expected in place of `count` received ones.
bool TrainChecker::equals_expected(const std::byte* received, const Frame& first, std::size_t count) {
    const std::size_t bytes = count * headers_->frame_bytes();
    const auto due_of = [&](std::size_t i) { return header_of(received + i * headers_->frame_bytes()).due; };
    if (due_of(0) == due_of(count - 1)) {  // an unpaced sender
        headers_->write(expected_.data(), {first.stream, first.sequence, due_of(0)}, count);
        if (std::memcmp(expected_.data(), received, bytes) == 0) return true;
    }
    headers_->write_each(expected_.data(), first, count, due_of);
    return std::memcmp(expected_.data(), received, bytes) == 0;
}

bool TrainChecker::expects(std::size_t frame_bytes) {
    const bool again = std::exchange(newest_bytes_, frame_bytes) == frame_bytes;
    if (headers_ && headers_->frame_bytes() == frame_bytes) return true;
    if (!again) return false;
    const auto fill = fill_of(frame_bytes - frame_bytes_min);
    headers_.emplace(fill);
    for (std::size_t at = 0; at + frame_bytes <= expected_bytes; at += frame_bytes)
        std::ranges::copy(fill, &expected_[at + frame_bytes_min]);
    return true;
}

}  // namespace ringpost::traffic
