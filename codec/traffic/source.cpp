// An open loop: due datagrams are sent even if late, and the delay (the slip) is recorded. Datagrams due together form
// one train; flows take turns by train.
//
// The engine reuses a few buffers and never writes to them. The fill is therefore written once per buffer, and only the
// 24-byte headers are written afterwards. This also holds for mixed sizes: each datagram is sent alone from the front
// of a buffer, and the fill of a size is a prefix of that of any larger one.

#include "codec/traffic/source.hpp"

#include <algorithm>

#include "codec/base/check.hpp"
#include "codec/base/limits.hpp"
#include "codec/traffic/sink.hpp"

namespace ringpost::traffic {

Source::Source(const SourceOptions& options)
    : options_(options),
      writer_(std::max(options.sizes.largest(), frame_bytes_min)),
      size_random_(options.sizes_seed),
      schedule_(schedule_of(options)),
      sequences_(options.flows) {
    RINGPOST_CHECK(options.flows > 0 && options.train_segments > 0);
    RINGPOST_CHECK(!options.verify || (options.sizes.smallest() >= frame_bytes_min && options.payload == nullptr));
    const std::size_t together = options.payload != nullptr ? limits::train_segments_max
                                 : options.sizes.is_fixed() ? limits::datagram_bytes_max / options.sizes.largest()
                                                            : 1;
    options_.train_segments =
        std::clamp<std::size_t>(together, 1, std::min(options.train_segments, limits::train_segments_max));
    dues_.resize(options_.train_segments);
    if (options.payload != nullptr)
        payloads_.emplace(*options.payload, options_.train_segments,
                          PayloadValues{.unix_offset = options.unix_offset, .seed = options.payload_seed});
    prepared_buffers_.reserve(limits::transmit_buffers_max);
}

void Source::handle(Instant now, const Datagram& in) {
    if (options_.replies != nullptr)
        options_.replies->handle(now, in);
    else
        ++unexpected_;
}

void Source::handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) {
    if (options_.replies != nullptr)
        options_.replies->handle_train(now, train, segment_bytes);
    else
        unexpected_ += segment_count(train.bytes.size(), segment_bytes);
}

std::optional<Transmit> Source::poll_transmit(Instant now, std::span<std::byte> out) {
    if (now < options_.start || !sends(now)) return std::nullopt;
    if (scheduled() && schedule_.next() > now) return std::nullopt;
    const auto most =
        static_cast<std::size_t>(std::min<std::uint64_t>(options_.train_segments, options_.count - sent_));
    const std::uint32_t flow = next_flow_;
    next_flow_ = next_flow_ + 1 == options_.flows ? 0 : next_flow_ + 1;
    const auto train = payloads_ ? write_payloads(now, out, flow, most) : write_frames(now, out, flow, most);
    sequences_[flow] += train.datagrams;
    sent_ += train.datagrams;
    bytes_sent_ += train.bytes;
    return Transmit{.destination = {},
                    .socket = options_.first_socket + flow,
                    .bytes = train.bytes,
                    .segment_bytes = train.segment_bytes};
}

PayloadTrain::Written Source::write_frames(Instant now, std::span<std::byte> out, std::uint32_t flow,
                                           std::size_t at_most) {
    const std::size_t size = options_.sizes.draw(size_random_);
    const Frame first{options_.stream + flow, sequences_[flow], now};
    if (options_.verify) prepare(out);
    std::size_t count = at_most;
    if (scheduled()) {
        const auto dues = take_due(now, count);
        count = dues.size();
        write_due(out, size, first, dues);
    } else {
        write(out, size, first, count);
    }
    return {count, count * size, size};
}

PayloadTrain::Written Source::write_payloads(Instant now, std::span<std::byte> out, std::uint32_t flow,
                                             std::size_t at_most) {
    const std::uint64_t sequence = options_.payload_first + sent_, in_flow = sequences_[flow];
    const std::size_t count = payloads_->count(sequence, in_flow, at_most);
    if (!scheduled()) return payloads_->write(out, sequence, in_flow, count, std::span(&now, 1));
    const auto dues = take_due(now, count);
    return payloads_->write(out, sequence, in_flow, dues.size(), dues);
}

void Source::write(std::span<std::byte> out, std::size_t size, const Frame& first, std::size_t count) const {
    if (!options_.verify) return;
    const Frame frame{first.stream, first.sequence, first.due + options_.due_offset};
    if (size == writer_.frame_bytes())
        writer_.write(out.data(), frame, count);
    else
        encode(frame, out.first(size));
}

/// At a fixed rate each datagram has its own due time and slip.
std::span<const Instant> Source::take_due(Instant now, std::size_t at_most) {
    const auto dues = schedule_.take(std::min(now, options_.stop - 1), std::span(dues_).first(at_most));
    slip_.record_each(dues.size(), [&](std::size_t i) { return now - dues[i]; });
    return dues;
}

void Source::write_due(std::span<std::byte> out, std::size_t size, const Frame& first,
                       std::span<const Instant> dues) const {
    if (options_.verify && size == writer_.frame_bytes())
        return writer_.write_due(out.data(), first, dues, options_.due_offset);
    write(out, size, {first.stream, first.sequence, dues.front()}, 1);
}

std::optional<Instant> Source::poll_timeout() const {
    if (stopped_ || sent_ == options_.count) return std::nullopt;
    if (!scheduled()) return options_.start;
    const Instant due = schedule_.next();
    return due < options_.stop ? std::optional(due) : std::nullopt;
}

Instant Source::closing() const {
    return options_.stop == never || !scheduled() ? options_.stop
                                                  : options_.stop + overtime(options_.start, options_.stop);
}

bool Source::sends(Instant now) const {
    if (sent_ == options_.count) return false;
    return now < options_.stop || (now < closing() && schedule_.next() < options_.stop);
}

std::uint64_t Source::unsent() const {
    if (!scheduled() || options_.stop == never) return 0;
    return schedule_.count_due(options_.start, options_.stop, options_.count - sent_);
}

void Source::prepare(std::span<std::byte> out) {
    if (std::find(prepared_buffers_.begin(), prepared_buffers_.end(), out.data()) != prepared_buffers_.end()) return;
    writer_.prepare(out, options_.train_segments);
    if (prepared_buffers_.size() < prepared_buffers_.capacity()) prepared_buffers_.push_back(out.data());
}

}  // namespace ringpost::traffic
