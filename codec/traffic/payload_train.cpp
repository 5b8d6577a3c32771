// Three ways, from the fastest: of a single payload the bytes between fields are written to each buffer once; payloads
// of one size without fields are copied from the image as a block; others are written one by one.

#include "codec/traffic/payload_train.hpp"

#include <algorithm>
#include <cstring>

#include "codec/base/limits.hpp"

namespace ringpost::traffic {
namespace {

constexpr std::size_t sequence_digits_max = 20;

std::size_t digits_in(std::uint64_t value) {
    std::size_t digits = 1;
    for (; value >= 10; value /= 10) ++digits;
    return digits;
}

/// The first number with more digits than `value`; UINT64_MAX if there is none.
std::uint64_t more_digits(std::uint64_t value) {
    std::uint64_t end = 10;
    for (; end <= value; end *= 10)
        if (end > UINT64_MAX / 10) return UINT64_MAX;
    return end;
}

}  // namespace

PayloadTrain::PayloadTrain(const Payload& of, std::size_t segments_max, const PayloadValues& fixed)
    : payload_(&of), segments_max_(segments_max), fixed_(fixed) {
    prepared_buffers_.reserve(limits::transmit_buffers_max);
    if (of.count() != 1) return;
    for (std::size_t digits = 1; digits <= (of.has_varying() ? sequence_digits_max : 1); ++digits) {
        auto made = of.with_digits(digits);
        if (!made) {
            by_digits_.clear();
            return;
        }
        by_digits_.push_back(std::move(*made));
    }
}

const Payload* PayloadTrain::single(std::uint64_t in_flow) const {
    if (by_digits_.empty()) return nullptr;
    return &by_digits_[by_digits_.size() == 1 ? 0 : digits_in(in_flow) - 1];
}

PayloadValues PayloadTrain::values(std::uint64_t sequence, std::uint64_t in_flow) const {
    PayloadValues out = fixed_;
    out.sequence = sequence;
    out.in_flow = in_flow;
    return out;
}

std::size_t PayloadTrain::count(std::uint64_t sequence, std::uint64_t in_flow, std::size_t at_most) const {
    at_most = std::min(at_most, segments_max_);
    const bool equal = payload_->bytes_min() == payload_->bytes_max();
    if (const Payload* const one = single(in_flow); one != nullptr || equal) {
        const std::size_t size = one != nullptr ? one->bytes_max() : payload_->bytes_max();
        if (by_digits_.size() > 1)
            at_most = static_cast<std::size_t>(std::min<std::uint64_t>(at_most, more_digits(in_flow) - in_flow));
        return std::clamp<std::size_t>(limits::datagram_bytes_max / size, 1, at_most);
    }
    const std::size_t segment_bytes = payload_->size_of(values(sequence, in_flow));
    std::size_t bytes = segment_bytes;
    for (std::size_t count = 1; count < at_most; ++count) {
        const std::size_t size = payload_->size_of(values(sequence + count, in_flow + count));
        if (size > segment_bytes || bytes + size > limits::datagram_bytes_max) return count;
        if (size < segment_bytes) return count + 1;
        bytes += size;
    }
    return at_most;
}

PayloadTrain::Written PayloadTrain::write(std::span<std::byte> out, std::uint64_t sequence, std::uint64_t in_flow,
                                          std::size_t count, std::span<const Instant> dues) {
    if (const Payload* const one = single(in_flow)) return write_single(*one, out, sequence, in_flow, count, dues);
    if (!payload_->has_fields() && payload_->bytes_min() == payload_->bytes_max())
        return copy_in_turn(out, sequence, count);
    Written done{.datagrams = count};
    PayloadValues each = values(sequence, in_flow);
    for (std::size_t i = 0; i < count; ++i, ++each.sequence, ++each.in_flow) {
        each.due = dues[dues.size() == 1 ? 0 : i];
        // Every datagram fits, but not always one of the longest payload, as write() wants it.
        const std::size_t size = payload_->write_unchecked(&out[done.bytes], each);
        if (i == 0) done.segment_bytes = size;
        done.bytes += size;
    }
    return done;
}

PayloadTrain::Written PayloadTrain::write_single(const Payload& payload, std::span<std::byte> out,
                                                 std::uint64_t sequence, std::uint64_t in_flow, std::size_t count,
                                                 std::span<const Instant> dues) {
    const std::size_t size = payload.bytes_max();
    prepare(payload, out);
    if (payload.has_fields()) payload.write_fields_each(out.data(), size, count, values(sequence, in_flow), dues);
    return {count, count * size, size};
}

PayloadTrain::Written PayloadTrain::copy_in_turn(std::span<std::byte> out, std::uint64_t sequence,
                                                 std::size_t count) const {
    const std::size_t size = payload_->bytes_max();
    const std::span<const std::byte> image = payload_->image();
    std::size_t at = sequence % payload_->count();
    for (std::size_t done = 0; done < count;) {
        const std::size_t together = std::min(count - done, payload_->count() - at);
        std::memcpy(&out[done * size], &image[at * size], together * size);
        done += together;
        at = 0;
    }
    return {count, count * size, size};
}

void PayloadTrain::prepare(const Payload& payload, std::span<std::byte> out) {
    if (prepared_ != &payload) prepared_buffers_.clear();
    prepared_ = &payload;
    if (std::ranges::find(prepared_buffers_, out.data()) != prepared_buffers_.end()) return;
    const auto image = payload.image();
    const std::size_t copies = std::clamp<std::size_t>(out.size() / image.size(), 1, segments_max_);
    for (std::size_t i = 0; i < copies; ++i) std::memcpy(&out[i * image.size()], image.data(), image.size());
    if (prepared_buffers_.size() < prepared_buffers_.capacity()) prepared_buffers_.push_back(out.data());
}

}  // namespace ringpost::traffic
