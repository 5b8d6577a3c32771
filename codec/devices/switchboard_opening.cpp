// When the device with the lower name opens a connection, and when the other one sends it a hello.
//
// Adverts can be forged. A device is proven while a connection with it is open and for two periods after that; others
// pay for our attempts and hellos with their adverts (Reach). An attempt that is not paid for waits for the next
// advert. One that finds no place, or whose address is silent, tries again later and does not count as failed. Half of
// the places are for our own networks, whose addresses fewer strangers can forge, and of these, half for addresses that
// have not been tried in vain. Such newcomers also try again sooner than all others.

#include <algorithm>
#include <utility>

#include "codec/devices/switchboard.hpp"

namespace ringpost::devices {
namespace {

constexpr Duration dial_again_after = 100 * millisecond, greet_again_after = 2 * second;

// An attempt to a device that is not proven ends before TCP sends its SYN again.
constexpr Duration syn_interval = second;
constexpr Duration attempt_timeout = syn_interval - 100 * millisecond;
constexpr std::size_t attempt_segments = 4;  // if it is answered, at most: what opens and closes it, and our greeting
constexpr Duration newcomer_interval = 100 * millisecond, place_interval = second;

std::size_t hello_bytes(const Address& to, std::string_view name) {
    return datagram_bytes(to, limits::devices_advert_bytes_max - limits::devices_name_bytes_max + name.size());
}

}  // namespace

Switchboard::Link& Switchboard::link(NameIndex device) {
    if (device >= links_.size()) links_.resize(device + 1);
    return links_[device];
}

bool Switchboard::we_open(NameIndex device) const {
    return std::string_view(context_.options.name) < context_.directory[device].name;
}

void Switchboard::dial(Instant now, NameIndex device) {
    if (context_.closed) return;
    const Address to = with_port(context_.directory[device].address, context_.options.tcp_port);
    const bool proven = is_proven(now, device);
    if (!proven && !may_attempt(now, device, to)) return;
    const Duration timeout = context_.options.connect_timeout;
    const Instant deadline = now + (proven ? timeout : std::min(timeout, attempt_timeout));
    const auto stream = claim(Connection::State::connecting, to, deadline);
    if (!stream) {
        ++context_.counts.connects_full;
        retries_.schedule(device, now + place_interval + context_.random_below(place_interval));
        return;
    }
    ++context_.counts.connects;
    Connection& opened = *connections_[*stream];
    opened.started_at = now;
    if (!proven) {
        attempts_.take(network_of(to));
        opened.payer = &reach_of(to);
        opened.payer->charge(to, segment_bytes(to));
        opened.payer->on_attempt(to);
    }
    opened.dialled = true;
    opened.device = device;
    opened.wants_connect = true;
    link(device).attempt = *stream;
    retries_.cancel(device);
    activate(*stream);
}

bool Switchboard::is_proven(Instant now, NameIndex device) {
    const Link& of = link(device);
    return of.connection != no_stream || now < of.open_at + 2 * context_.options.period;
}

// Whether to connect to a device that is not proven; otherwise sets when to try again.
bool Switchboard::may_attempt(Instant now, NameIndex device, const Address& to) {
    Counters& counts = context_.counts;
    const Reach& reach = reach_of(to);
    const bool newcomer = announcer_.is_near(to) && !reach.was_silent(to);
    const Duration interval = newcomer ? newcomer_interval : place_interval;
    const Instant later = now + interval + context_.random_below(interval);
    const Instant at = reach.attempt_at(to);
    if (at > now) {
        ++counts.connects_waited;
        retries_.schedule(device, at == never ? later : at);
        return false;
    }
    if (!reach.can_pay(to, segment_bytes(to))) {
        ++counts.connects_unpaid;
        link(device).awaits_advert = true;
        return false;
    }
    if (has_place(to, newcomer)) return true;
    ++counts.connects_full;
    retries_.schedule(device, later);
    return false;
}

bool Switchboard::has_place(const Address& to, bool newcomer) const {
    const std::uint32_t quarters = newcomer ? 4 : announcer_.is_near(to) ? 3 : 2;
    return attempts_.may_take(network_of(to)) && 4 * attempts_.taken() < quarters * attempts_.places();
}

// The attempt has failed for `cause`. Charges what it has sent beyond its first SYN.
void Switchboard::end_attempt(Instant now, Connection& attempt, Cause cause) {
    Reach* const payer = attempt.payer;
    if (payer == nullptr) return;
    const bool silent = cause == Cause::connect_timeout || cause == Cause::unreachable;
    release_attempt(now, attempt, silent ? Reach::Outcome::silent : Reach::Outcome::answered);
    const std::size_t segment = segment_bytes(attempt.peer);
    const auto repetitions = static_cast<std::size_t>((now - attempt.started_at) / syn_interval);
    const bool answered = attempt.greeting_bytes > 0;
    payer->charge(attempt.peer, answered ? attempt_segments * segment + attempt.greeting_bytes : repetitions * segment);
}

void Switchboard::release_attempt(Instant now, Connection& attempt, Reach::Outcome outcome) {
    Reach* const payer = std::exchange(attempt.payer, nullptr);
    if (payer == nullptr) return;
    attempts_.give_back(network_of(attempt.peer));
    payer->on_attempt_ended(now, attempt.peer, outcome);
}

void Switchboard::retry_later(Instant now, NameIndex device) {
    if (context_.closed) return;
    const Duration base = we_open(device) ? dial_again_after : greet_again_after;
    const std::uint32_t failures = std::min(link(device).failures++, 20u);
    const Duration wait = std::min(base << failures, context_.options.period);
    retries_.schedule(device, now + wait * 3 / 4 + context_.random_below(wait / 2));
}

void Switchboard::retry(Instant now, NameIndex device) {
    const Link& to = link(device);
    if (context_.closed || to.connection != no_stream || to.attempt != no_stream) return;
    if (we_open(device)) {
        dial(now, device);
        return;
    }
    const Device& who = context_.directory[device];
    if (!is_proven(now, device) &&
        !reach_of(who.address).pay(who.address, hello_bytes(who.address, context_.options.name))) {
        ++context_.counts.hellos_unpaid;
        link(device).awaits_advert = true;
        return;
    }
    announcer_.send_hello(who.address, who.socket);
    retry_later(now, device);
}

}  // namespace ringpost::devices
