#pragma once

// --transport and the options of gtUDP, the same for every subcommand that has them.

#include <cstdint>
#include <memory>
#include <optional>
#include <ringpost/connection.hpp>
#include <ringpost/gtudp.hpp>
#include <string>
#include <vector>

#include "apps/cli/client_list.hpp"
#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "codec/traffic/gtudp_tunnel.hpp"
#include "codec/traffic/native_tunnel.hpp"
#include "engine/faces/qlog.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::apps {

enum class Transport : std::uint8_t { raw, gtudp, native };

struct TransportOptions {
    Transport kind = Transport::raw;

    // gtUDP.
    bool checked = false;  ///< see gtudp::Wire
    gtudp::Wire wire;
    gtudp::Codec codec;  ///< of `wire`
    gtudp::ResendOptions resending;
    CongestionControl congestion = CongestionControl::cubic;
    std::uint32_t window = 0;  ///< 0: what fits a receive buffer, see window_for()
    std::string magic, types;  ///< as given

    // Native: names of key files, and the server's public key; "": not given.
    std::string psk, key, peer;
    std::string allow;        ///< servers: a list of clients, given by --allow like networks
    std::string allow_error;  ///< why that is no network
    bool insecure = false;
    std::string qlog;                        ///< a directory; "": no log
    std::optional<Keys::Secret> own_secret;  ///< of both ends of a --self run without keys

    std::vector<std::string> gtudp_options, native_options;  ///< options of the command that require the transport

    bool gtudp() const { return kind == Transport::gtudp; }
    bool native() const { return kind == Transport::native; }
    bool reliable() const { return kind != Transport::raw; }
    const char* name() const { return native() ? "native" : gtudp() ? "gtudp" : "raw"; }
};

struct TransportChoice {
    bool window = false;    ///< with --window
    bool reliable = false;  ///< without raw: gtUDP is the default
    bool server = false;    ///< with the options of a native server, not those of a client
};
/// --transport, --magic, --types, --checked, --sends, --patience, --recv-sends, --resend-after, --congestion, --window;
/// --psk, --key, --peer, --insecure, --qlog.
void add_transport(CLI::App& command, TransportOptions& options, TransportChoice choice);

/// To be called after parsing: builds the codec. Throws CLI::ValidationError if options of one transport are given with
/// another, or contradict each other.
void check_transport(const CLI::App& command, TransportOptions& options);

/// The number of messages of `bytes` in flight: --window, or 16 to 8,192 that hold at most 2 MiB, so that they fit the
/// receive buffer of the peer.
std::uint32_t window_for(const TransportOptions& options, std::size_t bytes);

/// Options for an endpoint that starts now, with fresh random values.
gtudp::Options wire_options(const TransportOptions& options, std::uint64_t deliveries_max = UINT64_MAX);
/// For a messenger: the same, on a port that the kernel chooses.
gtudp::OpenOptions open_options(const CommonOptions& common, const TransportOptions& transport);

/// The keys of a native end. What is wrong with them is the error of connect() and listen().
Keys keys_of(const TransportOptions& options);
/// What the server of a native tunnel has, for every engine. Throws a Failure if the keys cannot be used. The report
/// must outlive it.
struct NativeServer {
    native::ServerOptions options;
    std::vector<std::unique_ptr<native::Qlog>> logs;  ///< of each engine; empty: none
    std::unique_ptr<ClientList> clients;              ///< null: all that have the keys
    ClientList::List first_clients;                   ///< of `options`
};
NativeServer native_server(const TransportOptions& options, std::size_t engines, const Report& report);
/// Of a client: throws a Failure if the keys of --transport native cannot be used.
void check_client_keys(const TransportOptions& options);
/// The log of a client, or null.
std::unique_ptr<native::Qlog> client_log(const TransportOptions& options);
/// The tunnel of a client, and of one engine of a server, which start now. The log must outlive it.
traffic::NativeTunnelOptions tunnel_to(const Address& server, const TransportOptions& options, native::Qlog* log);
traffic::NativeTunnelOptions tunnel_of(const NativeServer& server, std::size_t engine);

/// Lets the kernel pass the packets of a connection to the engine that has it, wherever they come from.
void steer_to_shards(std::vector<UdpSocket>& sockets, const Report& report);

/// Adds the counters of a native endpoint, and of the handshakes of a server.
void add_native_counts(Json& counts, const native::Endpoint& endpoint);

/// What a connection knows of its path.
Json path_json(const native::Path& path);
/// What a connection did, of a summary's counters, as a line of text.
std::string native_text(const Json& summary);
/// `, native`, or "" for raw datagrams.
std::string transport_text(const TransportOptions& options);

/// The note of an end that neither encrypts nor authenticates.
inline constexpr const char* insecure_note = "insecure: nothing is encrypted or authenticated";
/// The exit code of an error of connect() or listen(): of usage if it is about keys.
Exit exit_of(const Error& error);

/// Adds the counters of gtUDP; some are also direct members, under names of their own.
void add_wire_counts(Json& counts, const gtudp::Counters& counters);
/// The same, and that the transport is gtUDP.
void add_wire(Json& summary, const gtudp::Counters& counters);
/// The same as a line of text.
std::string wire_text(const Json& summary);

}  // namespace ringpost::apps
