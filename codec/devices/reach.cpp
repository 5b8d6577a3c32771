// A device pays for what is sent to it with its adverts until a connection with it has been open. The credit is small,
// so that it cannot be saved for a burst. An address whose entry was evicted starts again without credit or debt.

#include "codec/devices/reach.hpp"

#include <algorithm>

namespace ringpost::devices {
namespace {

constexpr std::int64_t credit_per_byte = 3, credit_bytes_max = 600;

// Between two attempts that are not answered: doubled each time.
constexpr Duration pause_min = 100 * millisecond, pause_max = 5 * second;
constexpr std::uint32_t doublings_max = 10;

}  // namespace

std::size_t datagram_bytes(const Address& peer, std::size_t payload) {
    return payload + (peer.family == Family::v6 ? 48 : 28);
}

std::size_t segment_bytes(const Address& peer) { return peer.family == Family::v6 ? 80 : 60; }

void Reach::on_advert(const Address& source, std::size_t bytes) {
    Reached& entry = entries_.touch(source.ip);
    const std::int64_t earned = credit_per_byte * static_cast<std::int64_t>(bytes);
    entry.credit_bytes = std::min(entry.credit_bytes + earned, std::max(credit_bytes_max, earned));
}

bool Reach::can_pay(const Address& to, std::size_t bytes) const {
    const Reached* entry = entries_.find(to.ip);
    return entry != nullptr && entry->credit_bytes >= static_cast<std::int64_t>(bytes);
}

bool Reach::pay(const Address& to, std::size_t bytes) {
    if (!can_pay(to, bytes)) return false;
    charge(to, bytes);
    return true;
}

void Reach::charge(const Address& to, std::size_t bytes) {
    if (Reached* entry = entries_.find(to.ip)) entry->credit_bytes -= static_cast<std::int64_t>(bytes);
}

bool Reach::was_silent(const Address& to) const {
    const Reached* entry = entries_.find(to.ip);
    return entry != nullptr && entry->silences > 0;
}

Instant Reach::attempt_at(const Address& to) const {
    const Reached* entry = entries_.find(to.ip);
    if (entry == nullptr) return INT64_MIN;
    return entry->trying ? never : entry->silent_until;
}

void Reach::on_attempt(const Address& to) { entries_.touch(to.ip).trying = true; }

void Reach::on_attempt_ended(Instant now, const Address& to, Outcome outcome) {
    Reached& entry = entries_.touch(to.ip);
    entry.trying = false;
    if (outcome == Outcome::answered) {
        entry.silences = 0;
        return;
    }
    entry.silent_until = now + std::min(pause_min << std::min(entry.silences, doublings_max), pause_max);
    ++entry.silences;
}

}  // namespace ringpost::devices
