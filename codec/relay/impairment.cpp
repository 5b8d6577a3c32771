// A datagram meets, in this order: the blackhole, which goes by the clock alone; the burst under way, or the chance
// that one begins; the chance of loss by itself; the chance of being doubled. Then each copy crosses the link. The link
// is one instant, link_free_at_, when it will have carried all that came before: a copy waits until then, occupies the
// link for its own bits, and leaves after the delay, its jitter, and perhaps the hold that lets others overtake it.
// What would wait longer than limits::relay_queue_ns_max finds the queue full.

#include "codec/relay/impairment.hpp"

#include "codec/base/limits.hpp"

namespace ringpost::relay {

Impairment::Impairment(const Impairments& options, std::uint64_t seed, Instant start)
    : options_(options), random_(seed), start_(start), link_free_at_(start) {}

Decision Impairment::decide(Instant now, std::size_t bytes) {
    Decision decision;
    decision.drop = drop(now);
    if (decision.drop != Drop::none) return decision;
    decision.copies = random_.chance(options_.duplicate) ? 2 : 1;
    for (std::uint8_t i = 0; i < decision.copies; ++i) decision.copy[i] = pass(now, bytes);
    return decision;
}

Drop Impairment::drop(Instant now) {
    if (options_.blackhole_on > 0) {
        const Duration phase = (now - start_) % (options_.blackhole_off + options_.blackhole_on);
        if (phase >= options_.blackhole_off) return Drop::blackholed;
    }
    if (burst_left_ == 0 && random_.chance(options_.burst)) burst_left_ = options_.burst_datagrams;
    if (burst_left_ > 0) {
        --burst_left_;
        return Drop::burst_lost;
    }
    return random_.chance(options_.loss) ? Drop::lost : Drop::none;
}

Copy Impairment::pass(Instant now, std::size_t bytes) {
    Copy copy;
    const auto carried_at = cross_link(now, bytes);
    if (!carried_at) {
        copy.overflow = true;
        return copy;
    }
    copy.due = *carried_at + options_.delay;
    if (options_.jitter > 0)
        copy.due += static_cast<Duration>(random_.below(static_cast<std::uint64_t>(options_.jitter) + 1));
    copy.reordered = random_.chance(options_.reorder);
    if (copy.reordered) copy.due += reorder_hold;
    if (bytes > 0 && random_.chance(options_.corrupt)) corrupt(copy, bytes);
    return copy;
}

/// When the link has carried the datagram; nullopt when its queue is full.
std::optional<Instant> Impairment::cross_link(Instant now, std::size_t bytes) {
    if (options_.rate_bits_per_s == 0) return now;
    if (link_free_at_ < now) {
        link_free_at_ = now;
        link_remainder_ = 0;
    }
    if (link_free_at_ - now > limits::relay_queue_ns_max) return std::nullopt;
    const std::uint64_t bits = (bytes + header_bytes) * 8;
    const std::uint64_t scaled = bits * static_cast<std::uint64_t>(second) + link_remainder_;
    link_free_at_ += static_cast<Duration>(scaled / options_.rate_bits_per_s);
    link_remainder_ = scaled % options_.rate_bits_per_s;
    return link_free_at_;
}

void Impairment::corrupt(Copy& copy, std::size_t bytes) {
    copy.flips = static_cast<std::uint8_t>(1 + random_.below(corrupt_bits_max));
    // A bit flipped twice would be intact again: one that is taken gives way to the next.
    const auto bits = static_cast<std::uint32_t>(bytes * 8);
    for (std::uint8_t i = 0; i < copy.flips; ++i) {
        auto bit = static_cast<std::uint32_t>(random_.below(bits));
        const auto taken = [&] {
            for (std::uint8_t k = 0; k < i; ++k)
                if (copy.flip[k] == bit) return true;
            return false;
        };
        while (taken()) bit = (bit + 1) % bits;
        copy.flip[i] = bit;
    }
}

}  // namespace ringpost::relay
