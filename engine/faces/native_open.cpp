#include "engine/faces/native_open.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <utility>

#include "codec/base/limits.hpp"
#include "codec/crypto/hash.hpp"
#include "engine/faces/key_files.hpp"
#include "engine/faces/memory_budget.hpp"
#include "engine/faces/option_check.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/random.hpp"

namespace ringpost {

Keys::Keys() : chain_(std::make_shared<const Chain>()) {}
Keys::Keys(std::shared_ptr<const Chain> chain) : chain_(std::move(chain)) {}

namespace {

/// A copy with `change` made to it.
template <class Change>
std::shared_ptr<const Keys::Chain> changed(const Keys::Chain& chain, Change&& change) {
    auto copy = std::make_shared<Keys::Chain>(chain);
    change(*copy);
    return copy;
}

/// Takes what was read, or keeps the first error.
template <class T, class Use>
void take(Keys::Chain& chain, Result<T> read, Use&& use) {
    if (read)
        use(std::move(*read));
    else if (!chain.error)
        chain.error = read.error();
}

std::unexpected<Error> wrong_keys(const char* why) {
    return std::unexpected(Error{EINVAL, std::string("keys: ") + why});
}

}  // namespace

Keys Keys::none() { return {}; }

Keys Keys::shared(const std::string& file) { return none().with_shared(file); }
Keys Keys::shared(const Secret& secret) {
    return Keys(changed(Chain(), [&](Chain& to) { to.psk = secret; }));
}

Keys Keys::pair(const std::string& file) {
    return Keys(changed(Chain(), [&](Chain& to) {
        take(to, read_secret_key(file), [&](const crypto::Key& secret) { to.pair = crypto::key_pair_of(secret); });
    }));
}
Keys Keys::pair(const Secret& secret) {
    return Keys(changed(Chain(), [&](Chain& to) { to.pair = crypto::key_pair_of(secret); }));
}

Keys Keys::session(std::string_view id, std::span<const std::byte> token) {
    return Keys(changed(Chain(), [&](Chain& to) {
        to.is_session = true;
        if (const auto secret = native::session_secret(id, token))
            to.psk = *secret;
        else
            to.error = native::session_error(secret.error());
    }));
}

Keys Keys::allow(const std::string& file) const {
    return Keys(changed(*chain_, [&](Chain& to) {
        take(to, read_allow_list(file), [&](auto peers) { to.allowed = std::move(peers); });
    }));
}

Keys Keys::peer(std::string_view public_key) const {
    return Keys(changed(*chain_, [&](Chain& to) {
        const auto key = crypto::parse_key(public_key);
        if (key)
            to.peer = *key;
        else if (!to.error)
            to.error = Error{EINVAL, "the peer's public key: " + describe(key.error())};
    }));
}

Keys Keys::with_shared(const std::string& file) const {
    return Keys(changed(*chain_, [&](Chain& to) {
        take(to, read_secret_key(file), [&](const crypto::Key& secret) { to.psk = secret; });
    }));
}

namespace native {
namespace {

using crypto::Pattern, crypto::Suite;

/// Loads what the suites need, which may read files: a sandbox forbids that later.
void load_ciphers() {
    for (const Suite suite : {Suite::aes256_gcm, Suite::chacha20_poly1305}) const crypto::PacketKey loaded(suite, {});
}

/// Of the tokens that end connections after a restart: the same after it, if the keys are.
crypto::Key reset_secret_of(const crypto::Key& secret) {
    return crypto::hmac_sha256(secret, {as_bytes("ringpost: tokens of resets")});
}

}  // namespace

Result<ClientOptions> client_options(const Keys& keys, bool insecure) {
    const Keys::Chain& chain = keys.chain();
    if (chain.error) return std::unexpected(*chain.error);
    if (chain.allowed) return wrong_keys("a list of clients is a server's");
    ClientOptions out;
    out.suite = insecure ? Suite::insecure : crypto::preferred_suite();
    if (chain.psk) out.keys.psk = *chain.psk;  // insecure without keys: zeros, which everybody knows
    if (chain.pair) out.keys.local = *chain.pair;
    if (chain.peer) out.keys.remote = *chain.peer;
    if (chain.pair && !chain.peer) return wrong_keys("a client with a key pair needs the server's public key");
    if (chain.peer && chain.psk && !chain.pair)
        return wrong_keys("a client with a shared secret and the server's public key needs a key pair, too");
    if (!chain.peer && !chain.psk && !insecure)
        return wrong_keys("a client needs a shared secret, or the server's public key");
    out.pattern = !chain.peer   ? Pattern::nn_psk0
                  : !chain.pair ? Pattern::nk
                  : chain.psk   ? Pattern::ik_psk2
                                : Pattern::ik;
    return out;
}

Result<ServerOptions> server_options(const Keys& keys, bool insecure, std::uint32_t sessions_max) {
    const Keys::Chain& chain = keys.chain();
    if (chain.error) return std::unexpected(*chain.error);
    if (chain.peer) return wrong_keys("the server's public key is a client's");
    if (chain.is_session) return wrong_keys("a session is a client's");
    if (chain.allowed && !chain.pair) return wrong_keys("a list of clients needs the server's key pair");
    const bool has_keys = chain.pair || chain.psk;
    if (!has_keys && !insecure && sessions_max == 0) return wrong_keys("a server needs a shared secret, or a key pair");
    load_ciphers();
    ServerOptions out;
    if (insecure)
        out.suites = {Suite::insecure};
    else
        out.suites = {Suite::aes256_gcm, Suite::chacha20_poly1305};
    if (chain.pair) out.pair = *chain.pair;
    if (chain.psk) out.psk = *chain.psk;
    if (has_keys) out.reset_secret = reset_secret_of(chain.pair ? chain.pair->secret : *chain.psk);
    out.sessions_max = sessions_max;
    if (!has_keys && !insecure)
        out.patterns = {};
    else if (!chain.pair)
        out.patterns = {Pattern::nn_psk0};
    else if (chain.psk)
        out.patterns = {Pattern::ik_psk2};
    else if (chain.allowed)
        out.patterns = {Pattern::ik};
    else
        out.patterns = {Pattern::nk, Pattern::ik};
    return out;
}

EndpointOptions endpoint_options(const ProtocolOptions& protocol, std::string_view application) {
    EndpointOptions out;
    out.start = now();
    out.seed = random_value<crypto::Key>();
    static_cast<ProtocolOptions&>(out.connection) = protocol;
    out.application = application;
    return out;
}

Result<std::unique_ptr<Qlog>> trace_to(const std::string& directory, Qlog::Role role, EndpointOptions& options) {
    if (directory.empty()) return nullptr;
    auto log = Qlog::open(directory, role);
    if (log) options.connection.tracer = log->get();
    return log;
}

std::uint64_t wall_clock_ms() { return static_cast<std::uint64_t>((now() + unix_offset()) / millisecond); }

const char* reason(Initiator::Failure failure) {
    switch (failure) {
        case Initiator::Failure::none: return "closed";
        case Initiator::Failure::timed_out: return "no answer from a server with these keys";
        case Initiator::Failure::no_common_version: return "the server speaks other versions of the protocol";
        case Initiator::Failure::bad_parameters: return "the server's answer cannot be read";
        case Initiator::Failure::weak_key: return "the server's public key is none";
    }
    return "";
}

std::optional<ConnectionEvent> public_event(const EndpointEvent& event) {
    using Kind = ConnectionEvent::Kind;
    ConnectionEvent out;
    out.connection = event.connection;
    if (event.kind == EndpointEvent::Kind::failed) return std::nullopt;
    if (event.kind == EndpointEvent::Kind::opened) {
        out.kind = Kind::opened;
        return out;
    }
    const Event& of = event.event;
    out.channel = of.channel;
    switch (of.kind) {
        case Event::Kind::run: out.messages = Messages(of.channel, of.number, of.run); break;
        case Event::Kind::writable: out.kind = Kind::writable; break;
        case Event::Kind::acknowledged:
            out.kind = Kind::acknowledged;
            out.acknowledged = of.number;
            break;
        case Event::Kind::breaker: out.kind = Kind::breaker; break;
        case Event::Kind::closing:
        case Event::Kind::closed:
            out.kind = of.kind == Event::Kind::closing ? Kind::closing : Kind::closed;
            out.outcome = of.outcome;
            out.reason = of.reason;
            break;
    }
    return out;
}

std::size_t endpoint_budget(const ProtocolOptions& options, std::uint32_t connections) {
    // Keys, states and queues; each packet in flight has a record and two references, each number behind the newest a
    // bit.
    constexpr std::size_t fixed_bytes = 64u << 10, packet_bytes = 48, server_bytes = 6u << 20;
    const std::size_t each = fixed_bytes + options.packets_in_flight_max * packet_bytes +
                             options.channels * (options.send_log_bytes + 4'096) + 2 * options.connection_window;
    return server_bytes + connections * each;
}

Result<std::unique_ptr<crypto::AllowList>> read_allowed(const std::string& file) {
    auto peers = read_allow_list(file);
    if (!peers) return std::unexpected(peers.error());
    return std::make_unique<crypto::AllowList>(std::move(*peers), random_value<SipKey>());
}

Result<void> replace_allowed(Endpoint& endpoint, std::unique_ptr<crypto::AllowList>& current,
                             std::unique_ptr<crypto::AllowList>& next) {
    if (current == nullptr) return wrong_keys("this server accepts every client that has the keys");
    endpoint.allow(next.get());
    std::swap(current, next);
    return {};
}

Error session_error(SessionRefusal refusal) {
    switch (refusal) {
        case SessionRefusal::bad_id:
            return {EINVAL, fmt::format("session: an id has 1 to {} bytes", limits::native_name_bytes_max)};
        case SessionRefusal::short_token:
            return {EINVAL, fmt::format("session: a token has at least {} bytes", limits::native_token_bytes_min)};
        case SessionRefusal::in_use: return {EEXIST, "session: there is one with this id"};
        case SessionRefusal::full: break;
    }
    return {ENOSPC, "session: as many as sessions_max"};
}

Error connect_error(const Address& server, int code, const char* why) {
    return {code, fmt::format("connect {}: {}", to_text(server), why)};
}

Result<PreparedClient> prepare_client(const Address& server, const ConnectOptions& options) {
    if (auto wrong = check_options(options)) return std::unexpected(std::move(*wrong));
    if (server.port == 0 || server.family == Family::none)
        return std::unexpected(connect_error(server, EINVAL, "no address or no port"));
    auto client = client_options(options.keys, options.insecure);
    if (!client) return std::unexpected(client.error());
    PreparedClient out;
    out.client = *client;
    out.client.timeout = options.timeout;
    out.client.clock_ms = wall_clock_ms();
    out.socket = {.connect = server, .gro = options.gro, .reports_errors = true};
    out.endpoint = endpoint_options(options.protocol, options.application);
    out.endpoint.connections_max = 2;
    auto log = trace_to(options.qlog, Qlog::Role::client, out.endpoint);
    if (!log) return std::unexpected(log.error());
    out.log = std::move(*log);
    return out;
}

Result<PreparedServer> prepare_server(const Address& bind, const ListenOptions& options) {
    if (auto wrong = check_options(options)) return std::unexpected(std::move(*wrong));
    auto server = server_options(options.keys, options.insecure, options.sessions_max);
    if (!server) return std::unexpected(server.error());
    PreparedServer out;
    if (const auto& allowed = options.keys.chain().allowed)
        out.allowed = std::make_unique<crypto::AllowList>(*allowed, random_value<SipKey>());
    server->allow = out.allowed.get();
    server->handshakes_per_second = options.handshakes_per_second;
    out.socket = {.bind = bind, .gro = options.gro, .allowed = options.allowed};
    out.endpoint = endpoint_options(options.protocol, options.application);
    out.endpoint.connections_max = options.connections_max;
    out.endpoint.server = *server;
    auto log = trace_to(options.qlog, Qlog::Role::server, out.endpoint);
    if (!log) return std::unexpected(log.error());
    out.log = std::move(*log);
    return out;
}

Result<OpenedClient> open_client(const Address& server, const ConnectOptions& options) {
    auto prepared = prepare_client(server, options);
    if (!prepared) return std::unexpected(prepared.error());
    const auto open = [&] {
        return PolledEndpoint<Endpoint>::open(prepared->socket, options.engine, [&](SocketIndex index) {
            prepared->endpoint.socket = index;
            return Endpoint(prepared->endpoint);
        });
    };
    auto polled = open();
    // The kernel may choose the server's port if it is free, and the client would send to itself.
    while (polled && (*polled)->local == server) polled = open();
    if (!polled) return std::unexpected(polled.error());
    (*polled)->memory_bytes = engine_budget((*polled)->backend) + endpoint_budget(options.protocol, 1);

    PolledEndpoint<Endpoint>& opened = **polled;
    const auto number = opened.change().connect(now(), server, prepared->client);
    RINGPOST_CHECK(number.has_value());
    // The handshake's timer ends the wait.
    const auto cancelled = [&] { return options.cancelled && options.cancelled(); };
    const auto something = [&] {
        return opened.endpoint.may_have_events() || opened.counters().unreachable > 0 || cancelled();
    };
    const auto failed = [&](int code, const char* why) { return std::unexpected(connect_error(server, code, why)); };
    for (;;) {
        opened.wait_for(never, something);
        if (cancelled()) return failed(ECANCELED, "cancelled");
        while (const auto event = opened.endpoint.poll_event()) {
            if (event->kind == EndpointEvent::Kind::failed) return failed(ETIMEDOUT, reason(event->failure));
            if (event->kind == EndpointEvent::Kind::opened)
                return OpenedClient{std::move(prepared->log), std::move(*polled), *number,
                                    opened.endpoint.find(*number)->cipher()};
        }
        if (opened.counters().unreachable > 0) return failed(ECONNREFUSED, "nothing listens there");
    }
}

Result<OpenedServer> open_server(const Address& bind, const ListenOptions& options) {
    auto prepared = prepare_server(bind, options);
    if (!prepared) return std::unexpected(prepared.error());
    auto polled = PolledEndpoint<Endpoint>::open(prepared->socket, options.engine, [&](SocketIndex index) {
        prepared->endpoint.socket = index;
        return Endpoint(prepared->endpoint);
    });
    if (!polled) return std::unexpected(polled.error());
    (*polled)->memory_bytes =
        engine_budget((*polled)->backend) + endpoint_budget(options.protocol, options.connections_max);
    return OpenedServer{std::move(prepared->log), std::move(prepared->allowed), std::move(*polled)};
}

Result<Address> resolve_bind(std::string_view text) {
    if (!text.ends_with(":0")) return resolve_host_port(text);
    auto address = resolve_host_port(std::string(text.substr(0, text.size() - 1)) + "1");
    if (address) address->port = 0;
    return address;
}

}  // namespace native

}  // namespace ringpost
