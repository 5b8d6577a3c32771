// A connection begins as a slot with an Initiator (connect) or with the first short packet that completes a handshake
// of the Responder (accept). From then on the slot has a Connection, until that has ended and its last event was taken.
//
// Packets are opened in the driver's memory, and events point into it. Those that were not taken when that memory goes
// are copied by their connections, which `in_trains_` names.
//
// Two queues name the connections that have something to do, so that no call looks at all of them: `ready_` those that
// may have something to send, which take turns, and `eventful_` those that may have events. Each connection has one
// timer.

#include "codec/native/endpoint.hpp"

#include <algorithm>
#include <utility>

#include "codec/base/check.hpp"
#include "codec/crypto/hash.hpp"
#include "codec/native/endpoint_slot.hpp"

namespace ringpost::native {

namespace {

constexpr std::uint32_t answers_max = 256;
constexpr std::size_t in_trains_max = 4'096;

Parameters parameters_of(const ConnectionOptions& options, std::string_view application) {
    Parameters out;
    out.message_bytes_max = options.message_bytes_max;
    out.channels.clear();
    RINGPOST_CHECK(out.channels.try_append(ChannelKind::ordered, options.channels));
    out.connection_window_bytes = options.connection_window;
    out.channel_window_bytes = options.channel_window;
    out.idle_timeout_ms = static_cast<std::uint32_t>(options.idle_timeout / millisecond);
    out.ack_delay_us = static_cast<std::uint32_t>(options.ack_delay / microsecond);
    out.datagram_bytes_max = static_cast<std::uint16_t>(options.datagram_bytes);
    RINGPOST_CHECK(out.set_application(application));
    RINGPOST_CHECK(!fault_of(out));
    return out;
}

PeerOptions peer_options(const Established& established) {
    const Parameters& theirs = established.parameters;
    return {.channels = static_cast<std::uint32_t>(theirs.channels.channels()),
            .channel_window = theirs.channel_window_bytes,
            .connection_window = theirs.connection_window_bytes,
            .message_bytes_max = theirs.message_bytes_max,
            .ack_delay = Duration{theirs.ack_delay_us} * microsecond,
            .idle_timeout = Duration{theirs.idle_timeout_ms} * millisecond,
            .rtt = established.rtt,
            .id = established.remote,
            .traced_as = load_be<std::uint64_t>(established.handshake_hash.data())};
}

SipKey random_sip_key(crypto::RandomStream& random) {
    return {random.value<std::uint64_t>(), random.value<std::uint64_t>()};
}

}  // namespace

Endpoint::Endpoint(const EndpointOptions& options)
    : socket_(options.socket),
      shard_(options.shard),
      connections_max_(options.connections_max),
      connection_(options.connection),
      parameters_(parameters_of(options.connection, options.application)),
      random_(std::make_unique<crypto::RandomStream>(options.seed)),
      by_id_(connections_max_, random_sip_key(*random_)),
      by_remote_(connections_max_, random_sip_key(*random_)),
      timers_(connections_max_, options.start),
      ready_(connections_max_),
      eventful_(connections_max_),
      answers_(std::make_unique<RingQueue<Answer>>(answers_max)) {
    in_trains_.reserve(in_trains_max);
    if (!options.server) return;
    const ServerOptions& server = *options.server;
    ResponderOptions responder{.patterns = server.patterns,
                               .suites = server.suites,
                               .pair = server.pair,
                               .psk = server.psk,
                               .parameters = parameters_,
                               .shard = shard_};
    if (server.reset_secret)
        responder.reset_secret = *server.reset_secret;
    else
        responder.reset_secret = random_->value<crypto::Key>();
    responder.sessions_max = server.sessions_max;
    responder.handshakes_per_second = server.handshakes_per_second;
    reset_secret_ = responder.reset_secret;
    allow_ = server.allow;
    responder_ = std::make_unique<Responder>(responder, allow_, *random_);
}

Endpoint::~Endpoint() = default;
Endpoint::Endpoint(Endpoint&&) noexcept = default;

// Connections.

std::expected<ConnectionNumber, ConnectRefusal> Endpoint::connect(Instant now, const Address& peer,
                                                                  const ClientOptions& options) {
    if (peer.family == Family::none || peer.port == 0) return std::unexpected(ConnectRefusal::bad_peer);
    Slot* const slot = take_slot(peer, {socket_, {}}, issue_id());
    if (slot == nullptr) return std::unexpected(ConnectRefusal::full);
    InitiatorOptions initiator{.pattern = options.pattern,
                               .suite = options.suite,
                               .keys = options.keys,
                               .parameters = parameters_,
                               .local = slot->local};
    if (responder_)
        initiator.reset_token = reset_token_of(reset_secret_, slot->local);
    else
        initiator.reset_token = random_->value<ResetToken>();
    initiator.clock_ms = options.clock_ms;
    initiator.timeout = options.timeout;
    slot->state = Slot::State::connecting;
    slot->initiator = std::make_unique<Initiator>(initiator, *random_, now);
    after_handshake(now, *slot);
    touch(*slot);
    return slot->number();
}

SendResult Endpoint::send(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> message) {
    Slot* const slot = slot_of(connection);
    if (slot == nullptr || !slot->connection) return SendResult::closed;
    ready_.push(slot->index, slot->ready);
    return slot->connection->send(channel, message);
}

std::size_t Endpoint::send_many(ConnectionNumber connection, std::uint32_t channel, const std::byte* messages,
                                std::size_t message_bytes, std::size_t count) {
    Slot* const slot = slot_of(connection);
    if (slot == nullptr || !slot->connection) return 0;
    ready_.push(slot->index, slot->ready);
    return slot->connection->send_many(channel, messages, message_bytes, count);
}

Reserved Endpoint::reserve(ConnectionNumber connection, std::uint32_t channel, std::size_t message_bytes,
                           std::size_t count) {
    Slot* const slot = slot_of(connection);
    return slot == nullptr || !slot->connection ? Reserved{} : slot->connection->reserve(channel, message_bytes, count);
}

void Endpoint::commit(ConnectionNumber connection, std::uint32_t channel, std::size_t count) {
    Slot* const slot = slot_of(connection);
    if (slot == nullptr || !slot->connection || count == 0) return;
    ready_.push(slot->index, slot->ready);
    slot->connection->commit(channel, count);
}

void Endpoint::note_appended(ConnectionNumber connection) {
    if (Slot* const slot = slot_of(connection)) ready_.push(slot->index, slot->ready);
}

void Endpoint::close(Instant now, ConnectionNumber connection, Instant deadline, std::uint16_t code,
                     std::span<const std::byte> reason) {
    Slot* const slot = slot_of(connection);
    if (slot == nullptr) return;
    if (slot->connection) {
        slot->connection->close(now, deadline, code, reason);
    } else if (slot->state == Slot::State::connecting) {
        end_handshake(*slot);
        slot->state = Slot::State::failed;
        slot->failure = Initiator::Failure::none;
    }
    touch(*slot);
}

void Endpoint::close_all(Instant now, Instant deadline) {
    for (const auto& slot : slots_)
        if (slot->state != Slot::State::free) close(now, slot->number(), deadline);
}

bool Endpoint::all_closed() const {
    return std::ranges::all_of(slots_, [](const auto& slot) {
        return slot->state != Slot::State::connecting && (!slot->connection || slot->connection->outcome() != nullptr);
    });
}

void Endpoint::allow(const crypto::AllowList* list) {
    allow_ = list;
    if (responder_) responder_->allow(list);
}

std::expected<void, SessionRefusal> Endpoint::add_session(std::string_view id, std::span<const std::byte> token) {
    RINGPOST_CHECK(responder_ != nullptr);
    return responder_->sessions().add(id, token);
}
bool Endpoint::remove_session(std::string_view id) {
    return responder_ != nullptr && responder_->sessions().remove(id);
}

Connection* Endpoint::find(ConnectionNumber connection) {
    const Slot* const slot = slot_of(connection);
    return slot == nullptr ? nullptr : slot->connection.get();
}
const Connection* Endpoint::find(ConnectionNumber connection) const {
    const Slot* const slot = slot_of(connection);
    return slot == nullptr ? nullptr : slot->connection.get();
}

Address Endpoint::peer(ConnectionNumber connection) const {
    const Slot* const slot = slot_of(connection);
    return slot == nullptr ? Address{} : slot->peer;
}

std::string_view Endpoint::peer_name(ConnectionNumber connection) const {
    const Slot* const slot = slot_of(connection);
    if (slot == nullptr) return {};
    if (!slot->session.empty() || allow_ == nullptr) return slot->session;
    const crypto::AllowedPeer* const client = allow_->find(slot->peer_key);
    return client == nullptr ? std::string_view() : client->name;
}

std::string_view Endpoint::peer_application(ConnectionNumber connection) const {
    const Slot* const slot = slot_of(connection);
    return slot == nullptr ? std::string_view() : slot->application;
}

Statistics Endpoint::statistics() const {
    Statistics out = ended_;
    for (const auto& slot : slots_)
        if (slot->connection) add_to(out, slot->connection->statistics());
    return out;
}
InitiatorCounters Endpoint::initiator_counters() const {
    InitiatorCounters out = initiated_;
    for (const auto& slot : slots_)
        if (slot->initiator) add_to(out, slot->initiator->counters());
    return out;
}
const ResponderCounters* Endpoint::responder_counters() const { return responder_ ? &responder_->counters() : nullptr; }

/// Null: all are in use, or the id is.
Endpoint::Slot* Endpoint::take_slot(const Address& peer, const LocalPath& path, const Id& local) {
    if (used_ == connections_max_ || by_id_.find(local) != nullptr) return nullptr;
    std::uint32_t index = 0;
    if (free_.empty()) {
        index = static_cast<std::uint32_t>(slots_.size());
        slots_.push_back(std::make_unique<Slot>());
        free_.reserve(slots_.capacity());
        slots_.back()->index = index;
    } else {
        index = free_.back();
        free_.pop_back();
    }
    ++used_;
    Slot& slot = *slots_[index];
    slot.peer = peer;
    slot.path = path;
    slot.local = local;
    by_id_.touch(local) = index;
    return &slot;
}

void Endpoint::free_slot(Slot& slot) {
    if (slot.connection) add_to(ended_, slot.connection->statistics());
    timers_.cancel(slot.index);
    by_id_.erase(slot.local);
    if (const std::uint32_t* index = by_remote_.find(slot.remote); index != nullptr && *index == slot.index)
        by_remote_.erase(slot.remote);
    const std::uint32_t index = slot.index, use = slot.use + 1;
    slot = Slot{};
    slot.index = index;
    slot.use = use;
    free_.push_back(index);
    --used_;
}

Endpoint::Slot* Endpoint::slot_of(ConnectionNumber connection) const {
    if (connection.index >= slots_.size()) return nullptr;
    Slot& slot = *slots_[connection.index];
    return slot.use == connection.use && slot.state != Slot::State::free ? &slot : nullptr;
}

Endpoint::Slot* Endpoint::slot_of(const LruTable<Id, std::uint32_t>& table, const Id& id) const {
    const std::uint32_t* const index = table.find(id);
    return index == nullptr ? nullptr : slots_[*index].get();
}

Id Endpoint::issue_id() {
    Id id{.shard = shard_};
    do random_->fill(id.random);
    while (by_id_.find(id) != nullptr);
    return id;
}

void Endpoint::touch(Slot& slot) {
    ready_.push(slot.index, slot.ready);
    eventful_.push(slot.index, slot.eventful);
}

/// After the slot has left a queue.
void Endpoint::settle(Slot& slot) {
    if (slot.ready || slot.state == Slot::State::free) return;
    if (slot.is_over()) {
        if (!slot.eventful) free_slot(slot);
        return;
    }
    if (const Instant at = slot.due_at(); at == never)
        timers_.cancel(slot.index);
    else
        timers_.schedule(slot.index, at);
}

void Endpoint::establish(Instant now, Slot& slot, Established&& established) {
    ConnectionOptions options = connection_;
    options.seed = random_->value<std::uint64_t>();
    options.datagram_bytes = std::min<std::uint32_t>(options.datagram_bytes, established.parameters.datagram_bytes_max);
    slot.state = Slot::State::open;
    slot.remote = established.remote;
    slot.peer_key = established.peer_key;
    slot.session = std::move(established.session);
    slot.application = established.parameters.application();
    slot.reset_token = established.reset_token;
    by_remote_.touch(established.remote) = slot.index;
    const bool accepted = established.role == crypto::Role::responder;
    if (const auto* client = accepted && allow_ != nullptr ? allow_->find(established.peer_key) : nullptr)
        slot.rate = client->bytes_per_second_max;
    slot.connection = std::make_unique<Connection>(now, options, peer_options(established), std::move(established.send),
                                                   std::move(established.receive));
    slot.opened_event = true;
    ++counts_.opened;
    if (mismatch_of(parameters_.channels, established.parameters.channels))
        slot.connection->fail(now, CloseCode::channels);
    else if (established.role == crypto::Role::initiator)
        slot.connection->ping();  // the server sends nothing before it has received a packet
}

// Timers, transmits, events.

void Endpoint::handle_timeout(Instant now) {
    timers_.expire(now, [&](TimerIndex index, Instant) {
        Slot& slot = *slots_[index];
        if (slot.initiator) {
            slot.initiator->expire(now);
            after_handshake(now, slot);
        } else if (slot.connection) {
            slot.connection->handle_timeout(now);
        }
        touch(slot);
    });
}

std::optional<Transmit> Endpoint::poll_transmit(Instant now, std::span<std::byte> out) {
    if (!answers_->empty()) return poll_answer(out);
    while (!ready_.empty()) {
        Slot& slot = *slots_[ready_.front()];
        ready_.pop(slot.ready);
        Train train;
        if (slot.initiator)
            train.bytes = train.segment_bytes = slot.initiator->transmit(now, out);
        else if (slot.connection)
            train = slot.connection->poll_transmit(now, out).value_or(Train{});
        if (train.bytes == 0) {
            settle(slot);
            continue;
        }
        ready_.push(slot.index, slot.ready);  // behind the others
        return Transmit{slot.peer, slot.path.socket, train.bytes, train.segment_bytes, slot.path.local};
    }
    return std::nullopt;
}

std::optional<Transmit> Endpoint::poll_answer(std::span<std::byte> out) {
    const Answer& answer = answers_->front();
    std::ranges::copy(std::span(answer.text).first(answer.bytes), out.begin());
    const Transmit transmit{answer.destination, answer.path.socket, answer.bytes, answer.bytes, answer.path.local};
    answers_->pop();
    return transmit;
}

std::optional<EndpointEvent> Endpoint::poll_event() {
    while (!eventful_.empty()) {
        Slot& slot = *slots_[eventful_.front()];
        if (auto event = poll_slot(slot)) return event;
        eventful_.pop(slot.eventful);
        settle(slot);
    }
    in_trains_.clear();
    return std::nullopt;
}

std::optional<EndpointEvent> Endpoint::poll_slot(Slot& slot) {
    EndpointEvent out;
    out.connection = slot.number();
    if (std::exchange(slot.opened_event, false)) {
        out.kind = EndpointEvent::Kind::opened;
        return out;
    }
    if (slot.state == Slot::State::failed) {
        out.kind = EndpointEvent::Kind::failed;
        out.failure = slot.failure;
        slot.state = Slot::State::over;
        ++counts_.failed;
        return out;
    }
    if (!slot.connection) return std::nullopt;
    auto event = slot.connection->poll_event();
    if (!event) return std::nullopt;
    if (event->kind == native::Event::Kind::closed) ++counts_.closed;
    ready_.push(slot.index, slot.ready);  // what was taken may open a window
    out.event = *event;
    return out;
}

std::optional<Instant> Endpoint::poll_timeout() const { return timers_.next(); }

}  // namespace ringpost::native
