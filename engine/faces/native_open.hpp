#pragma once

// What connect() and listen() make of their options.

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <ringpost/connection.hpp>
#include "codec/crypto/keys.hpp"
#include "codec/native/endpoint.hpp"
#include "engine/faces/polled_endpoint.hpp"
#include "engine/faces/qlog.hpp"
#include "engine/os/clock.hpp"

namespace ringpost {

/// The content of Keys.
struct Keys::Chain {
    std::optional<crypto::SecretKey> psk;
    std::optional<crypto::KeyPair> pair;
    std::optional<crypto::Key> peer;
    std::optional<std::vector<crypto::AllowedPeer>> allowed;
    bool is_session = false;     ///< `psk` is a session's
    std::optional<Error> error;  ///< of the first key that could not be read
};

namespace native {

/// The handshake that these keys are for, as a client; its time and clock are set by the caller.
Result<ClientOptions> client_options(const Keys& keys, bool insecure);
/// Those that a server with these keys offers. `allow` of the result is null.
Result<ServerOptions> server_options(const Keys& keys, bool insecure, std::uint32_t sessions_max = 0);

/// An endpoint's options with a fresh seed. `application` must live until the endpoint is made.
EndpointOptions endpoint_options(const ProtocolOptions& protocol, std::string_view application);

/// Gives the endpoint a log in this directory, which must outlive it; "": null.
Result<std::unique_ptr<Qlog>> trace_to(const std::string& directory, Qlog::Role role, EndpointOptions& options);

/// The wall clock, in milliseconds.
std::uint64_t wall_clock_ms();

/// What `failure` means to a user.
const char* reason(Initiator::Failure failure);

/// The event of a connection in the form of the public interface; nullopt: it is not one of them.
std::optional<ConnectionEvent> public_event(const EndpointEvent& event);

/// The most that an endpoint and `connections` can reserve.
std::size_t endpoint_budget(const ProtocolOptions& options, std::uint32_t connections);

/// How long destroying an open connection may take: a CLOSE leaves, and perhaps its answer comes.
inline constexpr Duration end_within = 10 * millisecond;

/// What connect() and listen() make of their options, before there is a socket. `endpoint` refers to the log, to the
/// list, and to the options.
struct PreparedClient {
    std::unique_ptr<Qlog> log{};
    SocketOptions socket{};
    EndpointOptions endpoint{};
    ClientOptions client{};
};
struct PreparedServer {
    std::unique_ptr<Qlog> log{};
    std::unique_ptr<crypto::AllowList> allowed{};  ///< null: every client that has the keys
    SocketOptions socket{};
    EndpointOptions endpoint{};
};
Result<PreparedClient> prepare_client(const Address& server, const ConnectOptions& options);
Result<PreparedServer> prepare_server(const Address& bind, const ListenOptions& options);
/// Another list of clients: see Server::allow().
Result<std::unique_ptr<crypto::AllowList>> read_allowed(const std::string& file);
/// Gives `next` to the endpoint in place of `current`; the old list is in `next` then.
Result<void> replace_allowed(Endpoint& endpoint, std::unique_ptr<crypto::AllowList>& current,
                             std::unique_ptr<crypto::AllowList>& next);
/// The error of Keys::session() and Server::add_session().
Error session_error(SessionRefusal refusal);
/// The error of a connect().
Error connect_error(const Address& server, int code, const char* why);

/// What stands behind a Connection, and behind a Server.
struct OpenedClient {
    std::unique_ptr<Qlog> log;
    std::unique_ptr<PolledEndpoint<Endpoint>> polled;
    ConnectionNumber number{};
    std::string_view cipher{};
};
struct OpenedServer {
    std::unique_ptr<Qlog> log{};
    std::unique_ptr<crypto::AllowList> allowed{};  ///< null: every client that has the keys
    std::unique_ptr<PolledEndpoint<Endpoint>> polled{};
};
/// See connect() and listen().
Result<OpenedClient> open_client(const Address& server, const ConnectOptions& options);
Result<OpenedServer> open_server(const Address& bind, const ListenOptions& options);
/// ADDRESS:PORT; port 0, which is no port of a peer, is one of a bind.
Result<Address> resolve_bind(std::string_view text);

/// Runs turns until take() returns something, `over` is true, wake() was called, or `timeout` has elapsed. take() is
/// called whenever the endpoint may have events, and at least once after each turn.
template <class Take>
auto wait_for_event(PolledEndpoint<Endpoint>& polled, Duration timeout, const bool& over, const Take& take) {
    const Instant deadline = deadline_after(timeout);
    const std::function<bool()> something = [&] { return polled.endpoint.may_have_events() || polled.woken(); };
    if (now() - polled.turned_at() >= turn_within) polled.wait_for(0, something);
    for (bool late = false;;) {
        auto taken = take();
        if (taken || over || late || polled.take_woken()) return taken;
        const Duration left = deadline == never ? never : std::max<Duration>(deadline - now(), 0);
        late = left == 0;
        polled.wait_for(left, something);
    }
}

}  // namespace native

}  // namespace ringpost
