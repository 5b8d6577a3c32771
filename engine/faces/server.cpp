// The connections of an endpoint that accepts them.

#include <ringpost/connection.hpp>

#include <utility>

#include "codec/native/endpoint.hpp"
#include "engine/faces/native_open.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost {

struct Server::State {
    native::OpenedServer opened;
    PolledEndpoint<native::Endpoint>& polled() const { return *opened.polled; }
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&& other) noexcept {
    Server old(std::move(*this));
    state_ = std::move(other.state_);
    return *this;
}

Server::~Server() {
    if (state_ == nullptr || !state_->polled().usable()) return;
    state_->polled().change().close_all(now(), now());
    state_->polled().wait_for(native::end_within, [&] { return state_->polled().endpoint.all_closed(); });
}

Server::State& Server::used() const {
    if (state_ == nullptr) [[unlikely]]
        detail::check_failed("used after it was moved from", "ringpost", 0);
    state_->polled().check_owner();
    return *state_;
}

Result<Server> listen(const Address& bind, const ListenOptions& options) {
    auto opened = native::open_server(bind, options);
    if (!opened) return std::unexpected(opened.error());
    return Server(std::make_unique<Server::State>(Server::State{std::move(*opened)}));
}

Result<Server> listen(std::string_view bind, const ListenOptions& options) {
    const auto address = native::resolve_bind(bind);
    if (!address) return std::unexpected(address.error());
    return listen(*address, options);
}

std::optional<ConnectionEvent> Server::next(Duration timeout) {
    PolledEndpoint<native::Endpoint>& polled = used().polled();
    constexpr bool never_over = false;
    return native::wait_for_event(polled, timeout, never_over, [&]() -> std::optional<ConnectionEvent> {
        while (const auto event = polled.take_event())
            if (auto out = native::public_event(*event)) return out;
        return std::nullopt;
    });
}

bool Server::poll(Duration timeout, const Handler& handler) {
    return used().polled().poll(timeout, [&](const native::EndpointEvent& event) {
        if (const auto out = native::public_event(event)) handler(*out);
    });
}

SendResult Server::send(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> message) {
    return used().polled().change().send(connection, channel, message);
}

std::size_t Server::send_many(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> messages,
                              std::size_t message_bytes) {
    const std::size_t count = message_bytes == 0 ? 0 : messages.size() / message_bytes;
    return used().polled().change().send_many(connection, channel, messages.data(), message_bytes, count);
}

native::Reserved Server::reserve(ConnectionNumber connection, std::uint32_t channel, std::size_t message_bytes,
                                 std::size_t count) {
    return used().polled().endpoint.reserve(connection, channel, message_bytes, count);
}
void Server::commit(ConnectionNumber connection, std::uint32_t channel, std::size_t count) {
    used().polled().change().commit(connection, channel, count);
}

void Server::close(ConnectionNumber connection, Instant deadline, std::uint16_t code, std::string_view reason) {
    used().polled().change().close(now(), connection, deadline, code, as_bytes(reason));
}

void Server::close_all(Duration timeout) {
    PolledEndpoint<native::Endpoint>& polled = used().polled();
    polled.change().close_all(now(), deadline_after(timeout));
    polled.wait_for(never, [&] { return polled.endpoint.all_closed(); });
}

Result<void> Server::allow(const std::string& file) {
    State& state = used();
    auto allowed = native::read_allowed(file);
    if (!allowed) return std::unexpected(allowed.error());
    return native::replace_allowed(state.polled().endpoint, state.opened.allowed, *allowed);
}

Result<void> Server::add_session(std::string_view id, std::span<const std::byte> token) {
    const auto added = used().polled().endpoint.add_session(id, token);
    if (!added) return std::unexpected(native::session_error(added.error()));
    return {};
}
bool Server::remove_session(std::string_view id) { return used().polled().endpoint.remove_session(id); }

Address Server::peer(ConnectionNumber connection) const { return used().polled().endpoint.peer(connection); }

std::string Server::peer_name(ConnectionNumber connection) const {
    return std::string(used().polled().endpoint.peer_name(connection));
}

std::string Server::peer_application(ConnectionNumber connection) const {
    return std::string(used().polled().endpoint.peer_application(connection));
}

native::Statistics Server::statistics(ConnectionNumber connection) const {
    const native::Connection* const found = used().polled().endpoint.find(connection);
    return found != nullptr ? found->statistics() : native::Statistics{};
}
native::Path Server::path(ConnectionNumber connection) const {
    const native::Connection* const found = used().polled().endpoint.find(connection);
    return found != nullptr ? found->path() : native::Path{};
}
std::uint32_t Server::connections() const { return used().polled().endpoint.connections(); }
native::Statistics Server::statistics() const { return used().polled().endpoint.statistics(); }
native::EndpointCounters Server::counters() const { return used().polled().endpoint.counters(); }
native::ResponderCounters Server::handshake_counters() const { return *used().polled().endpoint.responder_counters(); }
EngineCounters Server::engine_counters() const { return used().polled().counters(); }

void Server::wake() const { present(state_->opened.polled).wake(); }
int Server::fd() { return used().polled().fd(); }
Instant Server::next_deadline() const { return used().polled().next_deadline(); }
bool Server::usable() const { return state_ != nullptr && state_->polled().usable(); }
const Address& Server::local() const { return used().polled().local; }
const char* Server::backend() const { return used().polled().backend; }
const std::string& Server::note() const { return used().polled().note; }
std::size_t Server::memory_bytes() const { return used().polled().memory_bytes; }

}  // namespace ringpost
