// Sending: a user thread appends to the connection's own log, as Connection::send() allows one thread for each channel:
// here it is whichever holds the mutex of the connection. The first append after a turn submits a command, so that the
// engine's thread looks at the connection again; the others only leave their bytes.
//
// Receiving: runs of messages are copied into the inbox. While it has no room for the largest event, events stay in the
// endpoint, whose windows then hold back the peers.
//
// A connection takes no more appends from the moment its end is known here. What was appended although it could no
// longer leave is counted in the outcome.

#include "engine/faces/connections_core.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "codec/base/check.hpp"
#include "engine/faces/native_open.hpp"
#include "engine/os/futex.hpp"

namespace ringpost::native {
namespace {

std::size_t bytes_of(const Run& run) { return run.stride > 0 ? std::size_t{run.count} * run.stride : run.bytes; }

/// The largest run of messages: one message in parts, or what a packet has.
std::size_t run_bytes_max(const ProtocolOptions& options) {
    return std::max<std::size_t>(options.message_bytes_max, limits::native_datagram_bytes_max);
}

}  // namespace

std::size_t ConnectionsCore::inbox_bytes(const ProtocolOptions& options, std::size_t received_bytes_max) {
    // A record is in one piece: at the end of the ring, less than one record may be left unused.
    return received_bytes_max + 2 * (run_bytes_max(options) + sizeof(Header) + 16);
}

ConnectionsCore::ConnectionsCore(const EndpointOptions& options, std::size_t received_bytes_max, UdpSocket bound)
    : appending_(new Appending[options.connections_max]),
      inbox_(inbox_bytes(options.connection, received_bytes_max)),
      socket_(std::move(bound)),
      options_(options),
      event_bytes_max_(run_bytes_max(options.connection)) {}

// ---- any thread -----------------------------------------------------------------------------------

/// Calls append(Connection&) unless the number names no connection that takes sends.
template <class Append>
auto ConnectionsCore::append_with(ConnectionNumber connection, bool& announce, const Append& append) {
    using Appended = decltype(append(std::declval<Connection&>()));
    if (connection.index >= options_.connections_max) return std::optional<Appended>();
    Appending& to = appending_[connection.index];
    const std::lock_guard lock(to.mutex);
    if (to.connection == nullptr || to.number != connection) return std::optional<Appended>();
    std::optional<Appended> appended(append(*to.connection));
    // Either this finds `announced` false, or run() clears it after the append and sees the messages.
    announce = !to.announced.exchange(true, std::memory_order_acq_rel);
    return appended;
}

SendResult ConnectionsCore::append(ConnectionNumber connection, std::uint32_t channel,
                                   std::span<const std::byte> message, bool& announce) {
    return append_with(connection, announce, [&](Connection& to) { return to.send(channel, message); })
        .value_or(SendResult::closed);
}

std::size_t ConnectionsCore::append_many(ConnectionNumber connection, std::uint32_t channel,
                                         std::span<const std::byte> messages, std::size_t message_bytes,
                                         bool& announce) {
    const std::size_t count = message_bytes == 0 ? 0 : messages.size() / message_bytes;
    return append_with(connection, announce,
                       [&](Connection& to) { return to.send_many(channel, messages.data(), message_bytes, count); })
        .value_or(0);
}

std::optional<OwnedEvent> ConnectionsCore::next(Instant deadline) {
    std::optional<OwnedEvent> out;
    arrived_.wait(deadline, [&] {
        const std::lock_guard taking(taking_);
        std::unique_lock lock(mutex_);
        const auto oldest = inbox_.front();
        if (!oldest) return ended_;
        lock.unlock();  // to copy
        const Header& header = oldest->header;
        out.emplace(OwnedEvent{.kind = header.kind,
                               .channel = header.channel,
                               .connection = header.connection,
                               .messages = {},
                               .acknowledged = header.kind == ConnectionEvent::Kind::acknowledged ? header.number : 0,
                               .outcome = header.outcome,
                               .reason = {}});
        if (header.kind == ConnectionEvent::Kind::messages) {
            auto memory = std::make_unique_for_overwrite<std::byte[]>(oldest->bytes.size());
            std::ranges::copy(oldest->bytes, memory.get());
            Run run = header.run;
            run.at = memory.get();
            out->messages = OwnedMessages({header.channel, header.number, run}, std::move(memory));
        } else {
            out->reason.assign(reinterpret_cast<const char*>(oldest->bytes.data()), oldest->bytes.size());
        }
        lock.lock();
        inbox_.pop();
        return true;
    });
    if (!out)
        ready_.clear_unless([this] {
            const std::lock_guard lock(mutex_);
            return !inbox_.empty();
        });
    return out;
}

ConnectionsCore::Opening ConnectionsCore::wait_for_opening(Instant deadline) {
    Opening out;
    changed_.wait(deadline, [&] {
        const std::lock_guard lock(mutex_);
        out = opening_;
        return out.over;
    });
    return out;
}

std::optional<CloseOutcome> ConnectionsCore::outcome() const {
    const std::lock_guard lock(mutex_);
    return outcome_;
}

std::string ConnectionsCore::close_reason() const {
    const std::lock_guard lock(mutex_);
    return close_reason_;
}

std::optional<CloseOutcome> ConnectionsCore::wait_for_outcome() {
    std::optional<CloseOutcome> out;
    changed_.wait(never, [&] {
        const std::lock_guard lock(mutex_);
        out = outcome_;
        return out.has_value() || ended_;
    });
    return out;
}

// ---- the engine's thread: events ------------------------------------------------------------------

bool ConnectionsCore::has_room() {
    const std::lock_guard lock(mutex_);
    const bool room = has_space_for_event();
    if (room == room_wanted_.load(std::memory_order_relaxed)) room_wanted_.store(!room, std::memory_order_release);
    return room;
}

bool ConnectionsCore::may_sleep() const {
    if (!room_wanted_.load(std::memory_order_relaxed)) return true;
    const std::lock_guard lock(mutex_);
    return !has_space_for_event();
}

void ConnectionsCore::push(const ConnectionEvent& event, const Run& run) {
    Header header{.kind = event.kind,
                  .channel = event.channel,
                  .connection = event.connection,
                  .number = 0,
                  .run = run,
                  .outcome = event.outcome};
    header.run.at = nullptr;
    if (event.kind == ConnectionEvent::Kind::messages) header.number = event.messages.begin()->number;
    if (event.kind == ConnectionEvent::Kind::acknowledged) header.number = event.acknowledged;
    const std::lock_guard lock(mutex_);
    const bool pushed =
        inbox_.push(header, run.at != nullptr ? std::span(run.at, bytes_of(run)) : as_bytes(event.reason));
    RINGPOST_CHECK(pushed);  // by has_room()
    ++pushed_;
}

void ConnectionsCore::on_event(Instant, const EndpointEvent& event) {
    if (event.kind == EndpointEvent::Kind::failed) return set_opening({true, ETIMEDOUT, reason(event.failure)});
    auto out = public_event(event);
    if (!out) return;
    if (out->kind == ConnectionEvent::Kind::opened) {
        Connection* const connection = endpoint_->find(event.connection);
        {
            Appending& to = appending_[event.connection.index];
            const std::lock_guard lock(to.mutex);
            to.number = event.connection;
            to.connection = closed_ ? nullptr : connection;
        }
        if (is_client_) {
            cipher_ = connection->cipher();
            return set_opening({.over = true});
        }
    }
    if (out->kind == ConnectionEvent::Kind::closed) {
        if (Connection* const connection = endpoint_->find(event.connection)) {
            out->outcome = end_of(*connection, event.connection, out->outcome);
            statistics_ = connection->statistics();
            path_ = connection->path();
        }
        if (is_client_) {
            set_outcome(out->outcome, out->reason);
            return end_inbox();
        }
    }
    push(*out, out->kind == ConnectionEvent::Kind::messages ? event.event.run : Run{});
}

/// Of a client's connection; the first one stays.
void ConnectionsCore::set_outcome(const CloseOutcome& outcome, std::string_view reason) {
    {
        const std::lock_guard lock(mutex_);
        if (outcome_) return;
        outcome_ = outcome;
        close_reason_ = reason;
    }
    changed_.ring(all_waiters);
}

/// Nothing more comes.
void ConnectionsCore::end_inbox() {
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    for (Bell* bell : {&arrived_, &changed_, &space_}) bell->ring(all_waiters);
    ready_.set();
}

/// Appends end here. The outcome, with what was appended after it was decided.
CloseOutcome ConnectionsCore::end_of(const Connection& connection, ConnectionNumber number, CloseOutcome outcome) {
    Appending& to = appending_[number.index];
    const std::lock_guard lock(to.mutex);
    if (to.number == number) to.connection = nullptr;
    outcome.unconfirmed = std::max(outcome.unconfirmed, connection.count_unacknowledged());
    if (outcome.unconfirmed > 0) outcome.all_delivered = false;
    return outcome;
}

void ConnectionsCore::publish() {
    if (pushed_ == 0) return;
    arrived_.ring(std::exchange(pushed_, 0));
    ready_.set();
}

// ---- the engine's thread: commands ----------------------------------------------------------------

void ConnectionsCore::run(Instant, const Command& command) {
    Appending& to = appending_[command.index];
    to.announced.exchange(false, std::memory_order_acq_rel);
    endpoint_->note_appended(to.number);
}

void ConnectionsCore::connect(Instant now, const Address& server, const ClientOptions& client) {
    const auto number = endpoint_->connect(now, server, client);
    RINGPOST_CHECK(number.has_value());
    client_ = *number;
    is_client_ = opens_ = true;
}

void ConnectionsCore::begin_close(Instant now, ConnectionNumber connection, Instant deadline, std::uint16_t code,
                                  std::string_view reason) {
    if (connection.index >= options_.connections_max) return;
    {
        Appending& to = appending_[connection.index];
        const std::lock_guard lock(to.mutex);
        if (to.number == connection) to.connection = nullptr;
    }
    endpoint_->close(now, connection, deadline, code, as_bytes(reason));
}

Instant ConnectionsCore::on_turn(Instant) {
    if (is_client_) look_at_client();
    space_.ring(all_waiters);
    return never;
}

void ConnectionsCore::look_at_client() {
    if (opens_ && unreachable_() > 0) set_opening({true, ECONNREFUSED, "nothing listens there"});
    const Connection* const connection = endpoint_->find(client_);
    if (opens_ || connection == nullptr || connection->outcome() == nullptr || outcome()) return;
    set_outcome(end_of(*connection, client_, *connection->outcome()), connection->peer_reason());
}

void ConnectionsCore::set_opening(const Opening& opening) {
    opens_ = false;
    {
        const std::lock_guard lock(mutex_);
        opening_ = opening;
    }
    changed_.ring(all_waiters);
}

Statistics ConnectionsCore::statistics() const {
    const Connection* const connection = std::as_const(*endpoint_).find(client_);
    return connection != nullptr ? connection->statistics() : statistics_;
}

Path ConnectionsCore::path() const {
    const Connection* const connection = std::as_const(*endpoint_).find(client_);
    return connection != nullptr ? connection->path() : path_;
}

// ---- the engine's thread: the end -----------------------------------------------------------------

void ConnectionsCore::close(Instant now) {
    for (std::uint32_t i = 0; i < options_.connections_max; ++i) {
        const std::lock_guard lock(appending_[i].mutex);
        appending_[i].connection = nullptr;
    }
    const Duration within = stop_within_;
    endpoint_->close_all(now, within == never ? never : now + within);
    closed_ = true;
}

void ConnectionsCore::end() {
    while (has_room()) {
        const auto event = endpoint_->poll_event();
        if (!event) break;
        on_event(now(), *event);
    }
    if (is_client_) look_at_client();
    pushed_ = 0;
    end_inbox();
}

}  // namespace ringpost::native
