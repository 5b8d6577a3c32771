// States: settled, and awaiting (the peer's first packet of the phase that we have started). One timer: when the
// previous key goes, which is looked at when a packet arrives.
//
// A packet of our phase opens with the current key. One of the other phase is either late, with a number below the
// first of the current phase, and opens with the previous key; or it begins the peer's update, and opens with the
// successor of the current key. That successor is computed when it is first needed. While we await the peer, its
// packets of the other phase are those from before, whatever their number.

#include "codec/native/key_phases.hpp"

#include <algorithm>
#include <utility>

namespace ringpost::native {

KeyPhases::KeyPhases(crypto::PacketKey send, crypto::PacketKey receive, Instant now, const KeyUse& use)
    : send_(std::move(send)), receive_(std::move(receive)), use_(use), started_at_(now) {}

void KeyPhases::update_if_due(Instant now) {
    if (has_previous_ && step_ == Step::settled && now >= previous_until_) forget_previous();
    if (step_ == Step::awaiting || has_previous_) return;
    if (packets_ < use_.packets_max && bytes_ < use_.bytes_max && now - started_at_ < use_.age_max) return;
    advance(now);
    step_ = Step::awaiting;
    ++counters_.updates_started;
}

void KeyPhases::seal(std::span<std::byte> packet, std::size_t header_bytes, std::uint64_t number) {
    ++packets_;
    bytes_ += packet.size();
    send_.seal(packet, header_bytes, number);
}

bool KeyPhases::open(Instant now, std::span<std::byte> packet, std::size_t header_bytes, bool phase,
                     std::uint64_t number, Duration kept) {
    if (has_previous_ && step_ == Step::settled && now >= previous_until_) forget_previous();
    if (phase != phase_) {
        const bool opened = open_of_other_phase(now, packet, header_bytes, number, kept);
        if (!opened) ++counters_.forged;
        return opened;
    }
    if (!receive_.open(packet, header_bytes, number)) {
        ++counters_.forged;
        return false;
    }
    if (step_ == Step::settled) {
        phase_first_ = std::min(phase_first_, number);
        return true;
    }
    step_ = Step::settled;
    phase_first_ = number;
    previous_until_ = now + kept;
    return true;
}

bool KeyPhases::open_of_other_phase(Instant now, std::span<std::byte> packet, std::size_t header_bytes,
                                    std::uint64_t number, Duration kept) {
    if (has_previous_ && (step_ == Step::awaiting || number < phase_first_)) {
        if (!previous_->open(packet, header_bytes, number)) return false;
        if (step_ == Step::settled) ++counters_.opened_late;
        return true;
    }
    if (!next().open(packet, header_bytes, number)) return false;
    advance(now);
    phase_first_ = number;
    previous_until_ = now + kept;
    ++counters_.updates_followed;
    return true;
}

crypto::PacketKey& KeyPhases::next() {
    if (!next_) next_.emplace(send_.suite(), crypto::Key{});
    if (!has_next_) next_->set_successor_of(receive_);
    has_next_ = true;
    return *next_;
}

// Both directions: the peer does the same.
void KeyPhases::advance(Instant now) {
    next();
    if (!previous_) previous_.emplace(send_.suite(), crypto::Key{});
    std::swap(*previous_, receive_);
    std::swap(receive_, *next_);
    has_previous_ = true;
    has_next_ = false;
    send_.rekey();
    phase_ = !phase_;
    started_at_ = now;
    packets_ = bytes_ = 0;
}

void KeyPhases::forget_previous() {
    previous_->set_key({});
    has_previous_ = false;
}

}  // namespace ringpost::native
