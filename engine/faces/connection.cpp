// A connection of an endpoint that has no other. Calls that wait run turns of a PolledEndpoint, and leave events in the
// endpoint, where what has arrived is bounded by the windows; only receive() and poll() take them.

#include <ringpost/connection.hpp>

#include <utility>

#include "codec/native/endpoint.hpp"
#include "engine/faces/native_open.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost {

struct Connection::State {
    std::unique_ptr<native::Qlog> log;
    std::unique_ptr<PolledEndpoint<native::Endpoint>> polled;
    ConnectionNumber number{};
    Address peer{};
    std::string_view cipher{};
    // Of the event `closed`, after which the endpoint forgets the connection.
    bool over = false;
    CloseOutcome outcome{};
    std::string reason{}, application{};
    native::Statistics statistics{};
    native::Path path{};

    [[nodiscard]] const native::Connection* find() const { return polled->endpoint.find(number); }

    /// Takes an event out of the endpoint.
    std::optional<ConnectionEvent> next() {
        const auto event = polled->take_event();
        return event ? note(*event) : std::nullopt;
    }
    std::optional<ConnectionEvent> note(const native::EndpointEvent& event) {
        auto out = native::public_event(event);
        if (!out || out->kind != ConnectionEvent::Kind::closed) return out;
        over = true;
        outcome = out->outcome;
        reason = out->reason;
        application = polled->endpoint.peer_application(number);
        if (const native::Connection* connection = find()) {
            statistics = connection->statistics();
            path = connection->path();
        }
        return out;
    }
};

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&& other) noexcept {
    Connection old(std::move(*this));
    state_ = std::move(other.state_);
    return *this;
}

Connection::~Connection() {
    if (state_ == nullptr || !state_->polled->usable() || outcome()) return;
    begin_close(now());
    state_->polled->wait_for(native::end_within, [&] { return outcome().has_value(); });
}

Connection::State& Connection::used() const {
    if (state_ == nullptr) [[unlikely]]
        detail::check_failed("used after it was moved from", "ringpost", 0);
    state_->polled->check_owner();
    return *state_;
}

// Opening.

Result<Connection> connect(const Address& server, const ConnectOptions& options) {
    auto opened = native::open_client(server, options);
    if (!opened) return std::unexpected(opened.error());
    return Connection(std::make_unique<Connection::State>(Connection::State{.log = std::move(opened->log),
                                                                            .polled = std::move(opened->polled),
                                                                            .number = opened->number,
                                                                            .peer = server,
                                                                            .cipher = opened->cipher}));
}

Result<Connection> connect(std::string_view server, const ConnectOptions& options) {
    const auto address = resolve_host_port(server);
    if (!address) return std::unexpected(address.error());
    return connect(*address, options);
}

// Sending.

SendResult Connection::send(std::uint32_t channel, std::span<const std::byte> message) {
    State& state = used();
    return state.polled->change().send(state.number, channel, message);
}

SendResult Connection::send(std::uint32_t channel, std::span<const std::byte> message, Duration timeout) {
    State& state = used();
    SendResult result = send(channel, message);
    if (result == SendResult::would_block)
        state.polled->wait_for(timeout, [&] {
            result = state.polled->change().send(state.number, channel, message);
            return result != SendResult::would_block;
        });
    return result;
}

std::size_t Connection::send_many(std::uint32_t channel, std::span<const std::byte> messages,
                                  std::size_t message_bytes) {
    State& state = used();
    const std::size_t count = message_bytes == 0 ? 0 : messages.size() / message_bytes;
    return state.polled->change().send_many(state.number, channel, messages.data(), message_bytes, count);
}

native::Reserved Connection::reserve(std::uint32_t channel, std::size_t message_bytes, std::size_t count) {
    State& state = used();
    return state.polled->endpoint.reserve(state.number, channel, message_bytes, count);
}
void Connection::commit(std::uint32_t channel, std::size_t count) {
    State& state = used();
    state.polled->change().commit(state.number, channel, count);
}

bool Connection::flush(Duration timeout) {
    State& state = used();
    bool flushed = false;
    state.polled->wait_for(timeout, [&] {
        const native::Connection* connection = state.find();
        flushed = connection != nullptr && connection->all_acknowledged();
        return flushed || connection == nullptr || connection->outcome() != nullptr;
    });
    return flushed;
}

// Receiving.

std::optional<Messages> Connection::receive(Duration timeout) {
    State& state = used();
    return native::wait_for_event(*state.polled, timeout, state.over, [&]() -> std::optional<Messages> {
        while (const auto event = state.next())
            if (event->kind == ConnectionEvent::Kind::messages) return event->messages;
        return std::nullopt;
    });
}

bool Connection::poll(Duration timeout, const Handler& handler) {
    State& state = used();
    return state.polled->poll(timeout, [&](const native::EndpointEvent& event) {
        if (const auto out = state.note(event)) handler(*out);
    });
}

// The end.

CloseOutcome Connection::close(Duration timeout, std::uint16_t code, std::string_view reason) {
    begin_close(deadline_after(timeout), code, reason);
    if (!outcome()) used().polled->wait_for(never, [&] { return outcome().has_value(); });
    return *outcome();
}

void Connection::begin_close(Instant deadline, std::uint16_t code, std::string_view reason) {
    State& state = used();
    state.polled->change().close(now(), state.number, deadline, code, as_bytes(reason));
}

std::optional<CloseOutcome> Connection::outcome() const {
    const State& state = used();
    if (state.over) return state.outcome;
    const native::Connection* const connection = state.find();
    if (connection == nullptr || connection->outcome() == nullptr) return std::nullopt;
    return *connection->outcome();
}

// Observation.

void Connection::wake() const { present(state_->polled).wake(); }
bool Connection::usable() const { return state_ != nullptr && state_->polled->usable(); }
int Connection::fd() { return used().polled->fd(); }
Instant Connection::next_deadline() const { return used().polled->next_deadline(); }

std::string Connection::close_reason() const {
    const native::Connection* const connection = used().find();
    return connection != nullptr ? std::string(connection->peer_reason()) : state_->reason;
}
std::string Connection::peer_application() const {
    return used().over ? state_->application : std::string(state_->polled->endpoint.peer_application(state_->number));
}

native::Statistics Connection::statistics() const {
    const native::Connection* const connection = used().find();
    return connection != nullptr ? connection->statistics() : state_->statistics;
}
native::Path Connection::path() const {
    const native::Connection* const connection = used().find();
    return connection != nullptr ? connection->path() : state_->path;
}
std::uint64_t Connection::unacknowledged_bytes() const {
    const native::Connection* const connection = used().find();
    return connection != nullptr ? connection->unacknowledged_bytes() : 0;
}
EngineCounters Connection::engine_counters() const { return used().polled->counters(); }
const Address& Connection::peer() const { return used().peer; }
const Address& Connection::local() const { return used().polled->local; }
std::string_view Connection::cipher() const { return used().cipher; }
const char* Connection::backend() const { return used().polled->backend; }
const std::string& Connection::note() const { return used().polled->note; }
std::size_t Connection::memory_bytes() const { return used().polled->memory_bytes; }

std::string_view to_text(native::CloseCode code) {
    using native::CloseCode;
    switch (code) {
        case CloseCode::done: return "closed";
        case CloseCode::deadline: return "could not be closed in time";
        case CloseCode::idle: return "the peer was silent for the idle timeout";
        case CloseCode::malformed: return "a packet could not be read";
        case CloseCode::flow_control: return "more was sent than the window allows";
        case CloseCode::acknowledgement: return "packets were acknowledged that were never sent";
        case CloseCode::unknown_channel: return "a message came for a channel that does not exist";
        case CloseCode::reset: return "the peer does not know the connection any more";
        case CloseCode::channels: return "the two ends differ in the kind of a channel";
        case CloseCode::forgeries: return "too many packets were forged";
    }
    return "closed by the application";
}

}  // namespace ringpost
