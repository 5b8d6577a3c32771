// The fate of a datagram is decided on arrival: it is dropped, or one or two copies are queued in order of their due
// times. poll_transmit() sends what is due from the front of the queue, in trains where consecutive datagrams allow it.
// A client is removed when another takes its place, at a limited rate; its queued datagrams then refer to an unknown
// client and are dropped when they reach the front. New clients and sockets to close are reported as events. Their
// queue holds two per client; if more clients than that appear before the application polls, they are refused.

#include "codec/relay/endpoint.hpp"

#include <algorithm>
#include <cstring>

#include "codec/base/check.hpp"
#include "codec/base/reflection.hpp"

namespace ringpost::relay {
namespace {

std::array<std::uint64_t, 2> seeds_from(std::uint64_t seed) {
    SplitMix64 random(seed);
    const std::uint64_t first = random.next();
    return {first, random.next()};
}

}  // namespace

Endpoint::Endpoint(const Options& options)
    : listening_socket_(options.listening_socket),
      target_(options.target),
      paths_{Path{Impairment(options.to_target, seeds_from(options.seed)[0], options.start), {}},
             Path{Impairment(options.to_client, seeds_from(options.seed)[1], options.start), {}}},
      clients_(options.clients_max, options.key),
      strangers_(options.new_clients_per_s, options.start),
      returning_(options.new_clients_per_s, options.start),
      deferred_(options.deferred_max, options.key),
      events_(2 * options.clients_max),
      pool_(options.held_bytes_max),
      held_(options.held_max),
      scratch_(limits::datagram_bytes_max) {}

// ---- input ----------------------------------------------------------------------------------------

void Endpoint::handle(Instant now, const Datagram& in) {
    const Direction direction = in.socket == listening_socket_ ? Direction::to_target : Direction::to_client;
    auto& [impairment, counts] = path(direction);
    ++counts.received;
    if (is_refused(direction, in)) {
        ++counts.refused;
        return;
    }
    if (is_last_hop(in.hop_limit)) {
        ++counts.hops_exhausted;
        return;
    }
    const auto client = client_of(now, in);
    if (!client) {
        ++(direction == Direction::to_target ? counts.overflow : counts.abandoned);
        return;
    }
    if (in.bytes.size() > limits::datagram_bytes_max) {
        ++counts.overflow;
        return;
    }
    const Decision decision = impairment.decide(now, in.bytes.size());
    switch (decision.drop) {
        case Drop::none: break;
        case Drop::lost: ++counts.lost; return;
        case Drop::burst_lost: ++counts.burst_lost; return;
        case Drop::blackholed: ++counts.blackholed; return;
    }
    counts.duplicated += decision.copies - 1u;
    for (std::uint8_t i = 0; i < decision.copies; ++i) hold(direction, *client, decision.copy[i], in);
}

bool Endpoint::is_refused(Direction direction, const Datagram& in) const {
    if (direction == Direction::to_client) return from_itself(in);
    return reflects(in.source.port) || from_itself(in) || in.source == target_;
}

std::optional<ClientId> Endpoint::client_of(Instant now, const Datagram& in) {
    if (in.socket == listening_socket_) {
        const auto known = clients_.touch(in.source);
        const auto client = known ? known : admit(now, in.source);
        if (client) clients_.find(*client)->local = in.local;
        return client;
    }
    if (in.socket >= by_socket_.size() || clients_.find(by_socket_[in.socket]) == nullptr) return std::nullopt;
    return by_socket_[in.socket];
}

bool Endpoint::Admissions::take(Instant now) {
    const Instant from = std::max(until_, now);
    if (from - now > 2 * every_ * limits::relay_clients_max) return false;
    until_ = from + every_;
    return true;
}

bool Endpoint::may_admit(Instant now, const Address& address) {
    if (strangers_.take(now)) return true;
    Deferred& deferred = deferred_.touch(address);
    if (deferred.before && returning_.take(now)) return true;
    deferred.before = true;
    return false;
}

std::optional<ClientId> Endpoint::admit(Instant now, const Address& address) {
    if (events_.size() + 2 > 2 * clients_.capacity()) return std::nullopt;
    if (!may_admit(now, address)) {
        ++client_counts_.deferred;
        return std::nullopt;
    }
    if (clients_.full()) {
        ++client_counts_.forgotten;
        remove(clients_.oldest());
    }
    ++client_counts_.clients;
    const ClientId client = clients_.add(address);
    events_.push({Event::Kind::new_client, client, address, 0});
    return client;
}

void Endpoint::remove(ClientId id) {
    const Client& client = *clients_.find(id);
    if (client.socket) events_.push({Event::Kind::client_removed, id, client.address, *client.socket});
    clients_.erase(id);
}

void Endpoint::hold(Direction direction, ClientId client, const Copy& copy, const Datagram& in) {
    Counters& counts = path(direction).counts;
    const auto chunk = copy.overflow ? std::nullopt : pool_.keep(copy.flips > 0 ? flipped(copy, in.bytes) : in.bytes);
    if (!chunk) {
        ++counts.overflow;
        return;
    }
    const auto length = static_cast<std::uint32_t>(in.bytes.size());
    if (!held_.push({copy.due, 0, client, length, *chunk, direction, next_hop_limit(in.hop_limit)})) {
        pool_.release(*chunk);
        ++counts.overflow;
        return;
    }
    counts.corrupted += copy.flips > 0 ? 1 : 0;
    counts.reordered += copy.reordered ? 1 : 0;
}

std::span<const std::byte> Endpoint::flipped(const Copy& copy, std::span<const std::byte> bytes) {
    std::memcpy(scratch_.data(), bytes.data(), bytes.size());
    for (std::uint8_t i = 0; i < copy.flips; ++i)
        scratch_[copy.flip[i] / 8] ^= static_cast<std::byte>(1u << copy.flip[i] % 8);
    return std::span(scratch_).first(bytes.size());
}

// ---- output ---------------------------------------------------------------------------------------

std::optional<Transmit> Endpoint::poll_transmit(Instant now, std::span<std::byte> out) {
    pop_abandoned();
    if (held_.empty() || held_.front().due > now || waits_for_socket(held_.front())) return std::nullopt;
    const Held first = held_.front();
    std::size_t bytes = take_front(out);
    std::size_t count = 1;
    // Only the last segment of a train may be shorter, and an empty datagram cannot be a segment.
    bool closed = first.bytes == 0;
    while (!closed && !held_.empty() && count < limits::train_segments_max) {
        const Held& next = held_.front();
        if (next.due > now || next.client != first.client || next.direction != first.direction) break;
        if (next.hop_limit != first.hop_limit) break;
        if (next.bytes == 0 || next.bytes > first.bytes || bytes + next.bytes > limits::datagram_bytes_max) break;
        closed = next.bytes < first.bytes;
        bytes += take_front(out.subspan(bytes));
        ++count;
    }
    path(first.direction).counts.forwarded += count;
    const Client& client = *clients_.find(first.client);
    if (first.direction == Direction::to_client)
        return Transmit{client.address, listening_socket_, bytes, first.bytes, client.local, first.hop_limit};
    return Transmit{{}, *client.socket, bytes, first.bytes, {}, first.hop_limit};
}

void Endpoint::pop_abandoned() {
    while (!held_.empty() && clients_.find(held_.front().client) == nullptr) {
        ++path(held_.front().direction).counts.abandoned;
        pool_.release(held_.front().chunk);
        held_.pop();
    }
}

bool Endpoint::waits_for_socket(const Held& held) const {
    const Client* client = clients_.find(held.client);
    return held.direction == Direction::to_target && client != nullptr && !client->socket;
}

/// Copies the front of the queue to `out`, removes it, and returns its length.
std::size_t Endpoint::take_front(std::span<std::byte> out) {
    const Held& held = held_.front();
    const std::size_t bytes = held.bytes;
    pool_.copy(held.chunk, out.first(bytes));
    pool_.release(held.chunk);
    held_.pop();
    return bytes;
}

std::optional<Instant> Endpoint::poll_timeout() const {
    if (held_.empty() || waits_for_socket(held_.front())) return std::nullopt;
    return held_.front().due;
}

// ---- clients --------------------------------------------------------------------------------------

std::optional<Event> Endpoint::poll_event() {
    while (!events_.empty()) {
        const Event event = events_.front();
        events_.pop();
        // A client that was removed before its event was polled needs no socket.
        if (event.kind == Event::Kind::client_removed || clients_.find(event.client) != nullptr) return event;
    }
    return std::nullopt;
}

bool Endpoint::attach(ClientId id, SocketIndex socket) {
    RINGPOST_CHECK(socket != listening_socket_);
    Client* client = clients_.find(id);
    if (client == nullptr) return false;
    RINGPOST_CHECK(!client->socket);
    if (socket >= by_socket_.size()) by_socket_.resize(std::size_t{socket} + 1);
    by_socket_[socket] = id;
    client->socket = socket;
    return true;
}

void Endpoint::refuse(ClientId id) {
    if (clients_.find(id) == nullptr) return;
    ++client_counts_.refused;
    remove(id);
}

}  // namespace ringpost::relay
