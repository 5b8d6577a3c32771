// Checks are applied in this order: the blackhole, which depends only on the time; a burst in progress, or the chance
// that one starts; independent loss; duplication. Each copy then passes the link. The link's state is link_free_at_,
// the time at which it will have sent all earlier datagrams: a copy waits until then, occupies the link for the
// duration of its bits, and is due after the delay, the jitter, and possibly the hold that reorders it. A copy that
// would wait longer than limits::relay_queue_ns_max is dropped because the queue is full.

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

/// Returns the time at which the link has sent the datagram; nullopt if its queue is full.
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
    // Flipping a bit twice would restore it, so a bit already chosen is replaced with the next free one.
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
