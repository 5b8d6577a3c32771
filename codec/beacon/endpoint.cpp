// Sending: a round starts every period, and poll_transmit() sends one datagram to each target. A round that could not
// start in time is not repeated, since a beacon only states that the sender is alive now. Receiving: a datagram is
// counted for its source address and queued with that count. It is decoded when the application polls.

#include "codec/beacon/endpoint.hpp"

#include "codec/base/limits.hpp"

namespace ringpost::beacon {

Endpoint::Endpoint(const Options& options)
    : options_(options),
      next_round_at_(options.start),
      rounds_left_(options.targets.empty() ? 0 : options.rounds),
      next_target_(options.targets.size()),
      sources_(options.sources_max, options.key),
      received_(options.queue_bytes) {}

void Endpoint::handle(Instant now, const Datagram& in) {
    ++counts_.received;
    const std::uint64_t count = ++sources_.touch(in.source.ip);
    if (!received_.push({in.source, count, unix_s(now)}, in.bytes)) ++counts_.events_dropped;
}

void Endpoint::count_error(FrameError error) {
    switch (error) {
        case FrameError::too_short: ++counts_.too_short; break;
        case FrameError::checksum: ++counts_.checksum; break;
        case FrameError::not_utf8: ++counts_.not_utf8; break;
    }
}

std::optional<Event> Endpoint::poll_event() {
    if (front_returned_) received_.pop();
    const auto received = received_.front();
    front_returned_ = received.has_value();
    if (!received) return std::nullopt;
    Event event;
    event.source = received->header.source;
    event.count = received->header.count;
    const auto frame = decode(received->bytes);
    if (!frame) {
        count_error(frame.error());
        event.error = frame.error();
        return event;
    }
    std::int64_t elapsed_s = 0;
    if (!__builtin_sub_overflow(received->header.received_unix_s, frame->unix_s, &elapsed_s))
        event.elapsed_s = elapsed_s;
    event.ipv4 = frame->ipv4;
    event.port = frame->port;
    event.quote = frame->quote;
    return event;
}

void Endpoint::handle_timeout(Instant now) {
    if (rounds_left_ == 0 || now < next_round_at_) return;
    next_round_at_ += options_.period;
    if (next_round_at_ <= now) next_round_at_ = now + options_.period;
    if (next_target_ < options_.targets.size())
        return;  // the previous round is incomplete: its remaining targets go
                 // first
    --rounds_left_;
    next_target_ = 0;
}

std::optional<Transmit> Endpoint::poll_transmit(Instant now, std::span<std::byte> out) {
    if (next_target_ == options_.targets.size()) return std::nullopt;
    const Target& target = options_.targets[next_target_++];
    const std::size_t bytes = encode({.unix_s = static_cast<std::uint64_t>(unix_s(now)),
                                      .ipv4 = target.advertised_ipv4,
                                      .port = options_.advertised_port,
                                      .quote = options_.quote},
                                     out);
    ++counts_.sent;
    return Transmit{
        .destination = target.destination, .socket = options_.socket, .bytes = bytes, .segment_bytes = bytes};
}

std::optional<Instant> Endpoint::poll_timeout() const {
    return rounds_left_ > 0 ? std::optional(next_round_at_) : std::nullopt;
}

Counters Endpoint::counters() const {
    Counters out = counts_;
    out.sources_forgotten = sources_.evictions();
    return out;
}

}  // namespace ringpost::beacon
