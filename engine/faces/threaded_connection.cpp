// The binding of ConnectionsCore to Threaded, for a client and for a server.

#include <ringpost/threaded_connection.hpp>

#include <sched.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <functional>
#include <utility>

#include "codec/base/check.hpp"
#include "engine/faces/connections_core.hpp"
#include "engine/faces/key_files.hpp"
#include "engine/faces/memory_budget.hpp"
#include "engine/faces/native_open.hpp"
#include "engine/os/random.hpp"
#include "engine/threaded/threaded.hpp"

namespace ringpost {
namespace native {

/// What both ends have: an engine on its thread, and what its endpoint refers to.
class ConnectionsThread {
  public:
    ConnectionsThread(const EndpointOptions& endpoint, std::size_t received_bytes_max, UdpSocket bound,
                      std::unique_ptr<Qlog> its_log, std::unique_ptr<crypto::AllowList> its_allowed)
        : local(bound.local()),
          log(std::move(its_log)),
          allowed(std::move(its_allowed)),
          engine(ConnectionsCore::commands_max(std::bit_ceil(endpoint.connections_max)), endpoint, received_bytes_max,
                 std::move(bound)) {}

    ConnectionsCore& core() { return engine.protocol; }

    SendResult send(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> message,
                    Duration timeout) {
        SendResult result = SendResult::closed;
        core().wait_for_space(deadline_after(timeout), [&] {
            result = try_send(connection, channel, message);
            return result != SendResult::would_block;
        });
        return result;
    }

    std::size_t send_many(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> messages,
                          std::size_t message_bytes) {
        if (engine.stopping()) return 0;
        bool announce = false;
        const std::size_t count = core().append_many(connection, channel, messages, message_bytes, announce);
        if (announce) submit(connection);
        return count;
    }

    std::optional<OwnedEvent> next(Duration timeout) {
        auto event = core().next(deadline_after(timeout));
        if (core().room_wanted()) engine.wake();
        return event;
    }

    /// Runs f(ConnectionsCore&, Instant) on the engine's thread, or here once that has ended.
    template <class F>
    auto with_core(const F& f) {
        std::optional<decltype(f(core(), Instant{}))> out;
        engine.call_or_run([&](Instant at) { out.emplace(f(core(), at)); });
        return std::move(*out);
    }

    void stop(Duration timeout) {
        core().set_stop_within(timeout);
        engine.stop();
    }

    const Address local;
    std::size_t memory_bytes = 0;
    std::unique_ptr<Qlog> log;
    std::unique_ptr<crypto::AllowList> allowed;
    Threaded<ConnectionsCore> engine;

  private:
    SendResult try_send(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> message) {
        if (engine.stopping()) return SendResult::closed;
        bool announce = false;
        const SendResult result = core().append(connection, channel, message, announce);
        if (announce) submit(connection);
        return result;
    }
    void submit(ConnectionNumber connection) {
        while (!engine.submit({.index = connection.index})) sched_yield();
    }
};

namespace {

/// How often a connect() looks whether it was cancelled.
constexpr Duration look_every = 20 * millisecond;

void check_usable(const ConnectionsThread* thread) {
    if (thread == nullptr) [[unlikely]]
        detail::check_failed("used after it was moved from", "ringpost", 0);
    if (thread->engine.forked()) [[unlikely]]
        detail::check_failed("used after fork() in the child; only its parent may use this object", "ringpost", 0);
}

/// Starts an engine for what was prepared, on a socket that is not `other`.
template <class Prepared>
Result<std::unique_ptr<ConnectionsThread>> start(Prepared& prepared, const EngineOptions& engine,
                                                 std::size_t received_bytes_max, const Address& other = {}) {
    auto socket = UdpSocket::open(prepared.socket);
    while (socket && socket->local() == other) socket = UdpSocket::open(prepared.socket);
    if (!socket) return std::unexpected(socket.error());
    std::unique_ptr<crypto::AllowList> allowed;
    if constexpr (requires { prepared.allowed; }) allowed = std::move(prepared.allowed);
    auto out = std::make_unique<ConnectionsThread>(prepared.endpoint, received_bytes_max, std::move(*socket),
                                                   std::move(prepared.log), std::move(allowed));
    if (auto failure = out->engine.start(engine)) return std::unexpected(std::move(*failure));
    const ProtocolOptions& protocol = prepared.endpoint.connection;
    out->memory_bytes = engine_budget(out->engine.backend) +
                        endpoint_budget(protocol, prepared.endpoint.connections_max) +
                        ConnectionsCore::inbox_bytes(protocol, received_bytes_max);
    return out;
}

/// Waits until the handshake has ended. 0: the connection is open.
std::pair<int, const char*> wait_for_opening(ConnectionsCore& core, const std::function<bool()>& cancelled) {
    for (;;) {
        const ConnectionsCore::Opening opening = core.wait_for_opening(cancelled ? now() + look_every : never);
        if (opening.over) return {opening.error, opening.reason};
        if (cancelled && cancelled()) return {ECANCELED, "cancelled"};
    }
}

}  // namespace
}  // namespace native

using native::ConnectionsCore;
using native::ConnectionsThread;

// A client.

struct ThreadedConnection::State {
    std::unique_ptr<ConnectionsThread> thread;
    Address peer{};
    ConnectionNumber number{};
    std::string_view cipher{};
};

Result<ThreadedConnection> ThreadedConnection::connect(const Address& server, const ConnectOptions& options) {
    auto prepared = native::prepare_client(server, options);
    if (!prepared) return std::unexpected(prepared.error());
    // The kernel may choose the server's port if it is free, and the client would send to itself.
    auto thread = native::start(*prepared, options.engine, options.received_bytes_max, server);
    if (!thread) return std::unexpected(thread.error());
    (*thread)->engine.call([&](Instant at) { (*thread)->core().connect(at, server, prepared->client); });
    const auto [error, why] = native::wait_for_opening((*thread)->core(), options.cancelled);
    if (error != 0) return std::unexpected(native::connect_error(server, error, why));
    auto state = std::make_unique<State>(State{.thread = std::move(*thread), .peer = server});
    state->thread->engine.call([&](Instant) {
        state->number = state->thread->core().client();
        state->cipher = state->thread->core().cipher();
    });
    return ThreadedConnection(std::move(state));
}

Result<ThreadedConnection> ThreadedConnection::connect(std::string_view server, const ConnectOptions& options) {
    const auto address = resolve_host_port(server);
    if (!address) return std::unexpected(address.error());
    return connect(*address, options);
}

ThreadedConnection::ThreadedConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
ThreadedConnection::ThreadedConnection(ThreadedConnection&&) noexcept = default;
ThreadedConnection& ThreadedConnection::operator=(ThreadedConnection&&) noexcept = default;
ThreadedConnection::~ThreadedConnection() = default;

ThreadedConnection::State& ThreadedConnection::used() const {
    native::check_usable(state_ == nullptr ? nullptr : state_->thread.get());
    return *state_;
}
bool ThreadedConnection::usable() const { return state_ != nullptr && !state_->thread->engine.forked(); }

SendResult ThreadedConnection::send(std::uint32_t channel, std::span<const std::byte> message, Duration timeout) {
    const State& state = used();
    return state.thread->send(state.number, channel, message, timeout);
}

std::size_t ThreadedConnection::send_many(std::uint32_t channel, std::span<const std::byte> messages,
                                          std::size_t message_bytes) {
    const State& state = used();
    return state.thread->send_many(state.number, channel, messages, message_bytes);
}

std::optional<OwnedEvent> ThreadedConnection::next(Duration timeout) { return used().thread->next(timeout); }

std::optional<OwnedMessages> ThreadedConnection::receive(Duration timeout) {
    const Instant deadline = deadline_after(timeout);
    for (;;) {
        auto event = used().thread->next(deadline == never ? never : std::max<Duration>(deadline - now(), 0));
        if (!event) return std::nullopt;
        if (event->kind == ConnectionEvent::Kind::messages) return std::move(event->messages);
    }
}

CloseOutcome ThreadedConnection::close(Duration timeout, std::uint16_t code, std::string_view reason) {
    const State& state = used();
    const Instant deadline = deadline_after(timeout);
    state.thread->engine.call(
        [&](Instant at) { state.thread->core().begin_close(at, state.number, deadline, code, reason); });
    return state.thread->core().wait_for_outcome().value_or(CloseOutcome{});
}

std::optional<CloseOutcome> ThreadedConnection::outcome() const { return used().thread->core().outcome(); }

std::string ThreadedConnection::close_reason() const { return used().thread->core().close_reason(); }

int ThreadedConnection::fd() { return used().thread->core().fd(); }
native::Statistics ThreadedConnection::statistics() const {
    return used().thread->with_core([](ConnectionsCore& core, Instant) { return core.statistics(); });
}
native::Path ThreadedConnection::path() const {
    return used().thread->with_core([](ConnectionsCore& core, Instant) { return core.path(); });
}
EngineCounters ThreadedConnection::engine_counters() const {
    const ConnectionsThread& thread = *used().thread;
    return used().thread->with_core([&](ConnectionsCore&, Instant) { return thread.engine.engine_counters(); });
}
const Address& ThreadedConnection::peer() const { return used().peer; }
const Address& ThreadedConnection::local() const { return used().thread->local; }
std::string_view ThreadedConnection::cipher() const { return used().cipher; }
const char* ThreadedConnection::backend() const { return used().thread->engine.backend; }
const std::string& ThreadedConnection::note() const { return used().thread->engine.note; }
std::size_t ThreadedConnection::memory_bytes() const { return used().thread->memory_bytes; }

// A server.

struct ThreadedServer::State {
    std::unique_ptr<ConnectionsThread> thread;
};

Result<ThreadedServer> ThreadedServer::listen(const Address& bind, const ListenOptions& options) {
    auto prepared = native::prepare_server(bind, options);
    if (!prepared) return std::unexpected(prepared.error());
    auto thread = native::start(*prepared, options.engine, options.received_bytes_max);
    if (!thread) return std::unexpected(thread.error());
    return ThreadedServer(std::make_unique<State>(State{std::move(*thread)}));
}

Result<ThreadedServer> ThreadedServer::listen(std::string_view bind, const ListenOptions& options) {
    const auto address = native::resolve_bind(bind);
    if (!address) return std::unexpected(address.error());
    return listen(*address, options);
}

ThreadedServer::ThreadedServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
ThreadedServer::ThreadedServer(ThreadedServer&&) noexcept = default;
ThreadedServer& ThreadedServer::operator=(ThreadedServer&&) noexcept = default;
ThreadedServer::~ThreadedServer() = default;

ThreadedServer::State& ThreadedServer::used() const {
    native::check_usable(state_ == nullptr ? nullptr : state_->thread.get());
    return *state_;
}
bool ThreadedServer::usable() const { return state_ != nullptr && !state_->thread->engine.forked(); }

std::optional<OwnedEvent> ThreadedServer::next(Duration timeout) { return used().thread->next(timeout); }

SendResult ThreadedServer::send(ConnectionNumber connection, std::uint32_t channel, std::span<const std::byte> message,
                                Duration timeout) {
    return used().thread->send(connection, channel, message, timeout);
}

std::size_t ThreadedServer::send_many(ConnectionNumber connection, std::uint32_t channel,
                                      std::span<const std::byte> messages, std::size_t message_bytes) {
    return used().thread->send_many(connection, channel, messages, message_bytes);
}

void ThreadedServer::close(ConnectionNumber connection, Instant deadline, std::uint16_t code, std::string_view reason) {
    ConnectionsThread& thread = *used().thread;
    thread.engine.call([&](Instant at) { thread.core().begin_close(at, connection, deadline, code, reason); });
}

void ThreadedServer::stop(Duration timeout) { used().thread->stop(timeout); }

Result<void> ThreadedServer::allow(const std::string& file) {
    auto allowed = native::read_allowed(file);
    if (!allowed) return std::unexpected(allowed.error());
    ConnectionsThread& thread = *used().thread;
    return thread.with_core([&](ConnectionsCore& core, Instant) {
        return native::replace_allowed(core.endpoint(), thread.allowed, *allowed);
    });
}

Result<void> ThreadedServer::add_session(std::string_view id, std::span<const std::byte> token) {
    const auto added = used().thread->with_core(
        [&](ConnectionsCore& core, Instant) { return core.endpoint().add_session(id, token); });
    if (!added) return std::unexpected(native::session_error(added.error()));
    return {};
}
bool ThreadedServer::remove_session(std::string_view id) {
    return used().thread->with_core([&](ConnectionsCore& core, Instant) { return core.endpoint().remove_session(id); });
}

int ThreadedServer::fd() { return used().thread->core().fd(); }
Address ThreadedServer::peer(ConnectionNumber connection) const {
    return used().thread->with_core([&](ConnectionsCore& core, Instant) { return core.endpoint().peer(connection); });
}
std::string ThreadedServer::peer_name(ConnectionNumber connection) const {
    return used().thread->with_core(
        [&](ConnectionsCore& core, Instant) { return std::string(core.endpoint().peer_name(connection)); });
}
std::string ThreadedServer::peer_application(ConnectionNumber connection) const {
    return used().thread->with_core(
        [&](ConnectionsCore& core, Instant) { return std::string(core.endpoint().peer_application(connection)); });
}
native::Statistics ThreadedServer::statistics(ConnectionNumber connection) const {
    return used().thread->with_core([&](ConnectionsCore& core, Instant) {
        const native::Connection* const found = core.endpoint().find(connection);
        return found != nullptr ? found->statistics() : native::Statistics{};
    });
}
native::Path ThreadedServer::path(ConnectionNumber connection) const {
    return used().thread->with_core([&](ConnectionsCore& core, Instant) {
        const native::Connection* const found = core.endpoint().find(connection);
        return found != nullptr ? found->path() : native::Path{};
    });
}
std::uint32_t ThreadedServer::connections() const {
    return used().thread->with_core([](ConnectionsCore& core, Instant) { return core.endpoint().connections(); });
}
native::Statistics ThreadedServer::statistics() const {
    return used().thread->with_core([](ConnectionsCore& core, Instant) { return core.endpoint().statistics(); });
}
native::EndpointCounters ThreadedServer::counters() const {
    return used().thread->with_core([](ConnectionsCore& core, Instant) { return core.endpoint().counters(); });
}
native::ResponderCounters ThreadedServer::handshake_counters() const {
    return used().thread->with_core(
        [](ConnectionsCore& core, Instant) { return *core.endpoint().responder_counters(); });
}
EngineCounters ThreadedServer::engine_counters() const {
    const ConnectionsThread& thread = *used().thread;
    return used().thread->with_core([&](ConnectionsCore&, Instant) { return thread.engine.engine_counters(); });
}
const Address& ThreadedServer::local() const { return used().thread->local; }
const char* ThreadedServer::backend() const { return used().thread->engine.backend; }
const std::string& ThreadedServer::note() const { return used().thread->engine.note; }
std::size_t ThreadedServer::memory_bytes() const { return used().thread->memory_bytes; }

}  // namespace ringpost
