// Each link has one deadline: its next alive. A reply brings the deadline forward. If that has happened already, the
// same alive also serves further new devices. The first alive, due 20 ms after the hello, is never moved and
// serves as a reply as well. Replies have a limited rate (the GCRA of ITU-T I.371), beyond which they are later.
//
// Periodic adverts are sent up to a tenth of the period early, at random, so that devices started together do not stay
// synchronised.

#include "codec/devices/announcer.hpp"

#include <algorithm>

#include "codec/base/check.hpp"
#include "codec/devices/shares.hpp"

namespace ringpost::devices {
namespace {

constexpr Duration first_alive_after = 20 * millisecond;

// Replies are spread over the time in which all devices together send 4,000 a second.
constexpr Duration spread_per_device = 250 * microsecond, spread_min = 10 * millisecond, spread_max = 500 * millisecond;

constexpr Duration reply_interval = 250 * millisecond;
constexpr int replies_at_once = 4;

}  // namespace

void Announcer::add(Instant now, SocketIndex socket, const Address& own) {
    RINGPOST_CHECK(socket < limits::devices_interfaces_max);
    if (socket >= links_.size()) links_.resize(socket + 1);
    remove(socket);
    links_[socket] = {.present = true, .own = own, .alive_at = now + first_alive_after, .starting = true};
    announce(socket, AdvertKind::hello);
    find_next();
}

void Announcer::remove(SocketIndex socket) {
    if (socket >= links_.size()) return;
    links_[socket] = {};
    std::erase_if(queue_, [&](const Outgoing& outgoing) { return outgoing.socket == socket; });
    find_next();
}

bool Announcer::is_own(const Address& address) const {
    return std::ranges::any_of(links_, [&](const Link& link) { return link.present && same_host(link.own, address); });
}

bool Announcer::is_near(const Address& address) const {
    const Holder network = network_of(address);
    return std::ranges::any_of(links_,
                               [&](const Link& link) { return link.present && network_of(link.own) == network; });
}

void Announcer::answer(Instant now, SocketIndex socket) {
    if (socket >= links_.size() || !links_[socket].present || links_[socket].starting) return;
    const Duration spread = std::clamp(Duration{context_.directory.size()} * spread_per_device, spread_min, spread_max);
    Link& link = links_[socket];
    const Instant earliest = std::max(now, link.replies_due_at - (replies_at_once - 1) * reply_interval);
    if (link.alive_at <= earliest + spread) return;
    link.alive_at = earliest + context_.random_below(spread);
    link.replies_due_at = std::max(link.replies_due_at, link.alive_at) + reply_interval;
    next_at_ = std::min(next_at_, link.alive_at);
}

void Announcer::answer_all(Instant now) {
    if (now < answered_all_at_ + context_.options.period / 4) return;
    answered_all_at_ = now;
    for (SocketIndex socket = 0; socket < links_.size(); ++socket) answer(now, socket);
}

void Announcer::send_to(const Address& device, SocketIndex socket, AdvertKind kind) {
    const Options& options = context_.options;
    Address to = device;
    to.port = to.family == Family::v6 && options.group_v6 ? options.group_v6->port : options.group.port;
    const auto serves = [&](SocketIndex at) {
        return at < links_.size() && links_[at].present && links_[at].own.family == to.family;
    };
    if (!serves(socket))
        for (socket = 0; socket < links_.size() && !serves(socket);) ++socket;
    if (serves(socket)) push(socket, kind, to);
}

void Announcer::stop() {
    links_.clear();
    queue_.clear();
    next_at_ = never;
}

void Announcer::expire(Instant now) {
    if (now < next_at_) return;
    const Duration period = context_.options.period;
    for (SocketIndex socket = 0; socket < links_.size(); ++socket) {
        Link& link = links_[socket];
        if (link.alive_at > now) continue;
        link.alive_at = now + period - context_.random_below(period / 10);
        link.starting = false;
        announce(socket, AdvertKind::alive);
    }
    find_next();
}

std::optional<Instant> Announcer::next_timeout() const {
    return next_at_ == never ? std::nullopt : std::optional(next_at_);
}

std::optional<Transmit> Announcer::poll(std::span<std::byte> out) {
    if (queue_.empty()) return std::nullopt;
    const Outgoing outgoing = queue_.front();
    queue_.pop_front();
    const std::size_t bytes = encode_advert({outgoing.kind, context_.options.name}, out);
    ++(outgoing.kind == AdvertKind::hello ? context_.counts.hello_sent : context_.counts.alive_sent);
    return Transmit{
        .destination = outgoing.destination, .socket = outgoing.socket, .bytes = bytes, .segment_bytes = bytes};
}

void Announcer::announce(SocketIndex socket, AdvertKind kind) {
    const Family family = links_[socket].own.family;
    if (family == Family::v4) push(socket, kind, context_.options.group);
    if (family == Family::v6 && context_.options.group_v6) push(socket, kind, *context_.options.group_v6);
    for (const Address& seed : context_.options.seeds)
        if (seed.family == family) push(socket, kind, seed);
}

void Announcer::push(SocketIndex socket, AdvertKind kind, const Address& destination) {
    if (queue_.size() < limits::devices_adverts_queued_max)
        queue_.push_back({socket, kind, destination});
    else
        ++context_.counts.adverts_unsent;
}

void Announcer::find_next() {
    next_at_ = never;
    for (const Link& link : links_) next_at_ = std::min(next_at_, link.alive_at);
}

}  // namespace ringpost::devices
