// Open loop: probe i leaves when it is due, whatever is still unanswered.
// Ping-pong: one probe in flight. Answered, the next leaves at once; unanswered for give_up_after, it is lost and the
// next leaves then. A late answer still counts as received, and its round trip is recorded.

#include "codec/load/prober.hpp"

#include <algorithm>

namespace ringpost::load {

Prober::Prober(const ProberOptions& options)
    : options_(options),
      writer_(std::max(options.datagram_bytes, frame_bytes_min)),
      schedule_(options.start, options.rate_per_s > 0 ? options.rate_per_s : 1),
      last_sent_at_(options.start) {
    if (options.dialect != nullptr) matcher_.emplace(options.dialect->match, options.key);
}

void Prober::handle(Instant now, const Datagram& in) {
    ++counts_.received;
    const std::optional<Frame> frame = matcher_ ? recognise_reply(now, in.bytes) : recognise_frame(in.bytes);
    if (!frame) return;
    switch (window_.record(frame->sequence)) {
        case Arrival::in_order: break;
        case Arrival::reordered: ++counts_.reordered; break;
        case Arrival::duplicate: ++counts_.duplicate; return;
    }
    rtt_.record(now - frame->due);
    if (frame->sequence + 1 == counts_.sent) waiting_ = false;
}

std::optional<Frame> Prober::recognise_frame(std::span<const std::byte> bytes) {
    const std::optional<Frame> frame = decode(bytes);
    if (!frame) {
        ++counts_.corrupt;
        return std::nullopt;
    }
    // Anyone can put a fitting CRC on any due time: one that we cannot have written would ruin the histogram.
    const bool ours = frame->stream == options_.stream && frame->sequence < counts_.sent &&
                      frame->due >= options_.start && frame->due <= last_sent_at_;
    if (ours) return frame;
    ++counts_.foreign;
    return std::nullopt;
}

std::optional<Frame> Prober::recognise_reply(Instant now, std::span<const std::byte> bytes) {
    matcher_->expire(now - options_.give_up_after + 1);
    const Reply reply = matcher_->answer(bytes);
    switch (reply.kind) {
        case Reply::Kind::answer: break;
        case Reply::Kind::late: ++counts_.late; break;
        case Reply::Kind::duplicate: ++counts_.duplicate; return std::nullopt;
        case Reply::Kind::surplus: ++counts_.surplus; return std::nullopt;
        case Reply::Kind::stranger: ++counts_.foreign; return std::nullopt;
    }
    return Frame{options_.stream, reply.sequence, reply.due};
}

void Prober::handle_timeout(Instant now) {
    if (waiting_ && now >= last_sent_at_ + options_.give_up_after) waiting_ = false;
    if (now >= options_.stop) stopped_ = true;
}

std::optional<Transmit> Prober::poll_transmit(Instant now, std::span<std::byte> out) {
    if (!may_send(now)) return std::nullopt;
    const Instant due = open_loop() ? schedule_.due(counts_.sent) : now;
    if (open_loop()) slip_.record(now - due);
    const std::size_t size = write_probe(out, due, now);
    ++counts_.sent;
    last_sent_at_ = now;
    waiting_ = !open_loop();
    return Transmit{.destination = {}, .socket = 0, .bytes = size, .segment_bytes = size};
}

std::size_t Prober::write_probe(std::span<std::byte> out, Instant due, Instant now) {
    if (matcher_) {
        const std::size_t size = options_.dialect->payload.write(out, counts_.sent, due, options_.stream);
        matcher_->sent(counts_.sent, due, now, out.first(size));
        return size;
    }
    writer_.prepare(out, 1);
    writer_.write(out.data(), {options_.stream, counts_.sent, due}, 1);
    return writer_.frame_bytes();
}

bool Prober::may_send(Instant now) const {
    if (counts_.sent == options_.count || now < options_.start || now >= options_.stop || waiting_) return false;
    return !open_loop() || schedule_.due(counts_.sent) <= now;
}

std::optional<Instant> Prober::poll_timeout() const {
    if (waiting_) return last_sent_at_ + options_.give_up_after;
    if (stopped_ || counts_.sent == options_.count) return std::nullopt;
    const Instant due = open_loop() ? schedule_.due(counts_.sent) : options_.start;
    return due < options_.stop ? std::optional(due) : std::nullopt;
}

bool Prober::finished(Instant now, Duration linger) const {
    const bool sending = counts_.sent < options_.count && now < options_.stop;
    if (sending) return false;
    return counts_.lost() == 0 || now >= last_sent_at_ + linger;
}

}  // namespace ringpost::load
