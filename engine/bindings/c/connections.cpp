// Native connections: a client has one, a server many. A run of messages is copied when it is taken from the endpoint,
// and then handed out message by message.

#include <ringpost/connection.hpp>

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "codec/native/endpoint.hpp"
#include "engine/bindings/c/options.hpp"
#include "engine/bindings/c/polled_handle.hpp"
#include "engine/faces/native_open.hpp"

namespace ringpost::c {
namespace {

rp_connection_options connection_defaults() {
    const native::ProtocolOptions protocol;
    rp_connection_options out{};
    out.engine = engine_defaults();
    out.connections_max = ListenOptions{}.connections_max;
    out.timeout_ns = ConnectOptions{}.timeout;
    out.channels = protocol.channels;
    out.message_bytes_max = protocol.message_bytes_max;
    out.send_log_bytes = protocol.send_log_bytes;
    out.channel_window = protocol.channel_window;
    out.connection_window = protocol.connection_window;
    out.idle_timeout_ns = protocol.idle_timeout;
    out.keep_alive_ns = protocol.keep_alive;
    out.datagram_bytes = protocol.datagram_bytes;
    return out;
}

/// A connection of a server as a number that is never 0.
std::uint64_t connection_id(ConnectionNumber connection) {
    return (std::uint64_t{connection.use} << 32 | connection.index) + 1;
}
ConnectionNumber connection_of(std::uint64_t id) {
    return {static_cast<std::uint32_t>(id - 1), static_cast<std::uint32_t>((id - 1) >> 32)};
}

class Connections final : public PolledHandle<native::Endpoint> {
  public:
    Connections(native::OpenedClient opened, const Address& server)
        : PolledHandle("a connection", std::move(opened.polled)),
          log_(std::move(opened.log)),
          client_(opened.number),
          peer_(server) {}
    explicit Connections(native::OpenedServer opened)
        : PolledHandle("a server", std::move(opened.polled)),
          log_(std::move(opened.log)),
          allowed_(std::move(opened.allowed)) {}
    ~Connections() override {
        if (!polled().usable()) return;
        change().close_all(now(), now());
        polled().wait_for(native::end_within, [&] { return endpoint().all_closed(); });
    }
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;

    std::int32_t send(std::string_view call, std::span<const rp_message> messages, std::uint64_t* ids) override {
        std::int32_t taken = 0;
        for (const rp_message& message : messages) {
            if (const auto error = send(call, message)) return taken > 0 ? taken : error;
            if (ids != nullptr) ids[taken] = 0;
            ++taken;
        }
        return taken;
    }

    std::int32_t finish(std::string_view call, std::uint64_t connection, Duration timeout, EventWriter& out) override {
        const ConnectionNumber number = number_of(connection);
        if (ended_ && client_) {
            out.add() = *ended_;
            return RP_OK;
        }
        if (const auto error = begin_finish(call, connection, timeout)) return error;
        const native::Connection* closing = nullptr;
        // The deadline of the first call ends the connection; the outcome follows it.
        const Duration margin = 10 * millisecond;
        polled().wait_for(timeout == 0 || timeout >= never - margin ? timeout : timeout + margin, [&] {
            closing = endpoint().find(number);
            return closing == nullptr || closing->outcome() != nullptr;
        });
        if (closing != nullptr && closing->outcome() != nullptr) out.add() = closed(number, *closing->outcome());
        return RP_OK;
    }

    std::int32_t begin_finish(std::string_view call, std::uint64_t connection, Duration timeout) override {
        const ConnectionNumber number = number_of(connection);
        if (ended_ && client_) return RP_OK;
        if (endpoint().find(number) == nullptr) return fail(RP_EUNKNOWN, call, "there is no such connection");
        change().close(now(), number, deadline_after(timeout));
        return RP_OK;
    }

    std::int32_t allow(std::string_view call, const std::string& file) override {
        if (client_) return Handle::allow(call, file);
        auto next = native::read_allowed(file);
        if (!next) return fail(call, next.error());
        const auto replaced = native::replace_allowed(endpoint(), allowed_, *next);
        return replaced ? RP_OK : fail(call, replaced.error());
    }
    std::int32_t add_session(std::string_view call, std::string_view id, std::span<const std::byte> token) override {
        if (client_) return Handle::add_session(call, id, token);
        const auto added = endpoint().add_session(id, token);
        if (added) return RP_OK;
        const Error error = native::session_error(added.error());
        return fail(added.error() == native::SessionRefusal::full ? RP_EFULL : RP_EINVAL, call, error.text);
    }
    std::int32_t remove_session(std::string_view call, std::string_view id) override {
        if (client_) return Handle::remove_session(call, id);
        return endpoint().remove_session(id) ? RP_OK : fail(RP_EUNKNOWN, call, "there is no session with this id");
    }

    std::int64_t in_flight(std::string_view) override {
        const native::Connection* const connection = client_ ? endpoint().find(*client_) : nullptr;
        return connection == nullptr ? 0 : static_cast<std::int64_t>(connection->count_unacknowledged());
    }

    std::vector<rp_counter> counters() override {
        std::vector<rp_counter> out;
        append_counters(out, endpoint().statistics());
        append_counters(out, endpoint().counters());
        if (endpoint().responder_counters() != nullptr)
            append_counters(out, "handshake_", *endpoint().responder_counters());
        else
            append_counters(out, "initiator_", endpoint().initiator_counters());
        append_engine_counters(out, polled().counters());
        return out;
    }

  protected:
    std::optional<Found> next(std::int32_t what) override {
        for (;;) {
            if (run_.count > 0) return (what & RP_MESSAGE) != 0 ? std::optional(next_message()) : std::nullopt;
            const auto event = polled().take_event();
            const auto of = event ? native::public_event(*event) : std::nullopt;
            if (!event) return std::nullopt;
            if (!of) continue;
            if (of->kind == ConnectionEvent::Kind::messages) {
                take_run(event->connection, event->event);
                continue;
            }
            auto found = found_of(*of);
            if (!found) continue;
            if ((what & RP_CONNECTION) != 0) return found;
            keep(*found);
        }
    }

  private:
    ConnectionNumber number_of(std::uint64_t id) const { return client_ ? *client_ : connection_of(id); }

    std::int32_t send(std::string_view call, const rp_message& given) {
        if (given.bytes == nullptr && given.size > 0) return fail(RP_EINVAL, call, "message->bytes is NULL");
        if (given.flags != 0) return fail(RP_EINVAL, call, "message->flags: not for connections");
        const auto sent = change().send(number_of(given.connection), given.id,
                                        {static_cast<const std::byte*>(given.bytes), given.size});
        switch (sent) {
            case SendResult::queued: return RP_OK;
            case SendResult::would_block: return fail(RP_EFULL, call, "the channel's log is full");
            case SendResult::too_large: return fail(RP_ETOOLARGE, call, "the message is larger than the peer takes");
            case SendResult::closed: return fail(RP_ESTOPPED, call, "the connection has ended");
            case SendResult::unknown_channel: break;
        }
        return fail(RP_EINVAL, call, fmt::format("message->id {}: there is no such channel", given.id));
    }

    void take_run(ConnectionNumber connection, const native::Event& event) {
        copy_.assign(event.run.at, event.run.at + event.run.bytes);
        run_ = event.run;
        run_.at = copy_.data();
        message_ = {};
        message_.event.kind = RP_MESSAGE;
        message_.event.id = event.number;
        message_.event.value = event.channel;
        name(message_.event, connection);
    }

    Found next_message() {
        Found out = message_;
        out.bytes = run_.front();
        run_ = run_.count > 1 ? run_.without_first(1) : native::Run{};
        ++message_.event.id;
        return out;
    }

    void name(rp_event& event, ConnectionNumber connection) const {
        event.connection = client_ ? 0 : connection_id(connection);
        event.peer = to_c(client_ ? peer_ : endpoint().peer(connection));
    }

    rp_event closed(ConnectionNumber connection, const CloseOutcome& outcome) const {
        rp_event out{};
        out.kind = RP_CONNECTION;
        out.code = RP_CLOSED;
        out.error = static_cast<std::int32_t>(outcome.code);
        out.value = static_cast<std::int64_t>(outcome.unconfirmed);
        if (outcome.all_delivered) out.flags |= RP_EVENT_DELIVERED;
        if (outcome.by_peer) out.flags |= RP_EVENT_BY_PEER;
        name(out, connection);
        return out;
    }

    std::optional<Found> found_of(const ConnectionEvent& of) {
        Found out;
        out.event.kind = RP_CONNECTION;
        name(out.event, of.connection);
        switch (of.kind) {
            case ConnectionEvent::Kind::opened:
                out.event.code = RP_OPENED;
                out.name = endpoint().peer_name(of.connection);
                out.bytes = as_bytes(endpoint().peer_application(of.connection));
                return out;
            case ConnectionEvent::Kind::writable:
                out.event.code = RP_WRITABLE;
                out.event.value = of.channel;
                return out;
            case ConnectionEvent::Kind::acknowledged:
                out.event.code = RP_ACKNOWLEDGED;
                out.event.value = of.channel;
                out.event.id = of.acknowledged;
                return out;
            case ConnectionEvent::Kind::closing: out.event.code = RP_CLOSING; return out;
            case ConnectionEvent::Kind::closed:
                out.event = closed(of.connection, of.outcome);
                out.bytes = as_bytes(of.reason.empty() ? to_text(of.outcome.code) : of.reason);
                if (client_) ended_ = out.event;
                return out;
            case ConnectionEvent::Kind::messages:
            case ConnectionEvent::Kind::breaker: break;
        }
        return std::nullopt;
    }

    std::unique_ptr<native::Qlog> log_;
    std::optional<ConnectionNumber> client_;
    Address peer_{};                              ///< a client's
    std::unique_ptr<crypto::AllowList> allowed_;  ///< a server's
    std::optional<rp_event> ended_;               ///< a client's last event
    std::vector<std::byte> copy_;
    native::Run run_;  ///< of copy_: messages that were not handed out yet
    Found message_;    ///< the next of them, without its bytes
};

/// Reads what both kinds have.
template <class Options>
std::int32_t read_connection(std::string_view call, const rp_connection_options& given, Options& out) {
    if (given.psk != nullptr) out.keys = Keys::shared(given.psk);
    if (given.key != nullptr) {
        out.keys = Keys::pair(given.key);
        if (given.psk != nullptr) out.keys = out.keys.with_shared(given.psk);
    }
    if (given.peer != nullptr) out.keys = out.keys.peer(given.peer);
    if (given.allow != nullptr) out.keys = out.keys.allow(given.allow);
    if (given.qlog != nullptr) out.qlog = given.qlog;
    out.insecure = given.insecure != 0;
    if (given.application != nullptr) out.application = given.application;
    out.protocol.channels = given.channels;
    out.protocol.message_bytes_max = given.message_bytes_max;
    out.protocol.send_log_bytes = given.send_log_bytes;
    out.protocol.channel_window = given.channel_window;
    out.protocol.connection_window = given.connection_window;
    out.protocol.idle_timeout = given.idle_timeout_ns;
    out.protocol.keep_alive = given.keep_alive_ns;
    out.protocol.acknowledgements = given.acknowledgements != 0;
    out.protocol.congestion = static_cast<CongestionControl>(given.congestion);
    out.protocol.fixed.rate = given.fixed_rate;
    out.protocol.fixed.window = given.fixed_window;
    out.protocol.datagram_bytes = given.datagram_bytes;
    out.gro = given.engine.gro != 0;
    return read(call, given.engine, out.engine);
}

}  // namespace
}  // namespace ringpost::c

using namespace ringpost;
using namespace ringpost::c;

int32_t rp_connection_init(rp_connection_options* options, size_t size) {
    return init("rp_connection_init", options, size, connection_defaults());
}

int32_t rp_connect(const char* server, const rp_connection_options* options, rp_handle** handle) {
    constexpr const char* call = "rp_connect";
    if (server == nullptr || handle == nullptr) return fail(RP_EINVAL, call, "server or handle is NULL");
    *handle = nullptr;
    rp_connection_options given = connection_defaults();
    if (const auto error = read(call, options, given)) return error;
    ConnectOptions wanted;
    if (const auto error = read_connection(call, given, wanted)) return error;
    wanted.timeout = given.timeout_ns;
    if (given.cancelled != nullptr)
        wanted.cancelled = [cancelled = given.cancelled, user = given.user] { return cancelled(user) != 0; };
    if (given.session != nullptr) {
        if (given.token == nullptr) return fail(RP_EINVAL, call, "options->token is NULL");
        if (given.psk != nullptr || given.key != nullptr || given.peer != nullptr)
            return fail(RP_EINVAL, call, "options->session: not with psk, key or peer");
        wanted.keys = Keys::session(given.session, {static_cast<const std::byte*>(given.token), given.token_size});
    }
    const auto address = resolve_host_port(server);
    if (!address) return fail(call, address.error());
    auto opened = native::open_client(*address, wanted);
    if (!opened) return fail(call, opened.error());
    return publish(call, std::make_unique<Connections>(std::move(*opened), *address), handle);
}

int32_t rp_listen(const char* bind, const rp_connection_options* options, rp_handle** handle) {
    constexpr const char* call = "rp_listen";
    if (bind == nullptr || handle == nullptr) return fail(RP_EINVAL, call, "bind or handle is NULL");
    *handle = nullptr;
    rp_connection_options given = connection_defaults();
    if (const auto error = read(call, options, given)) return error;
    ListenOptions wanted;
    if (const auto error = read_connection(call, given, wanted)) return error;
    if (const auto error = read(call, given.allowed, given.allowed_count, wanted.allowed)) return error;
    wanted.connections_max = given.connections_max;
    wanted.sessions_max = given.sessions_max;
    const auto address = native::resolve_bind(bind);
    if (!address) return fail(call, address.error());
    auto opened = native::open_server(*address, wanted);
    if (!opened) return fail(call, opened.error());
    return publish(call, std::make_unique<Connections>(std::move(*opened)), handle);
}
