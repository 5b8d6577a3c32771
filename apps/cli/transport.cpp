#include "apps/cli/transport.hpp"

#include <fmt/core.h>

#include <cerrno>

#include "apps/cli/random.hpp"
#include "engine/faces/native_open.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

Transport parse_transport(const std::string& text) {
    if (text == "raw") return Transport::raw;
    if (text == "gtudp") return Transport::gtudp;
    if (text == "native") return Transport::native;
    throw std::invalid_argument("one of raw, gtudp, native");
}

Transport parse_reliable(const std::string& text) {
    if (text == "raw") throw std::invalid_argument("one of gtudp, native: raw confirms nothing");
    return parse_transport(text);
}

CongestionControl parse_congestion(const std::string& text) {
    if (text == "cubic") return CongestionControl::cubic;
    if (text == "fixed") return CongestionControl::fixed;
    throw std::invalid_argument("one of cubic, fixed");
}

std::uint32_t parse_sends(const std::string& text) {
    return static_cast<std::uint32_t>(parse_whole(text, 1, UINT8_MAX));
}

std::uint32_t parse_window(const std::string& text) {
    return static_cast<std::uint32_t>(parse_whole(text, 1, gtudp::Options{}.sends_max));
}

std::optional<Duration> parse_interval(const std::string& text) { return parse_duration(text); }

std::optional<Duration> parse_patience(const std::string& text) {
    const Duration patience = parse_duration_or_zero(text);
    if (patience > gtudp::ResendOptions::patience_max) throw std::invalid_argument("is longer than 1h");
    return patience;
}

std::vector<std::byte> parse_hex(const std::string& name, const std::string& text) {
    const auto digit = [&](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        throw CLI::ValidationError(fmt::format("{} {}: not hexadecimal digits", name, shown_value(text)));
    };
    if (text.size() % 2 != 0) throw CLI::ValidationError(fmt::format("{} {}: an odd number of digits", name, text));
    std::vector<std::byte> out;
    for (std::size_t i = 0; i < text.size(); i += 2)
        out.push_back(static_cast<std::byte>(digit(text[i]) << 4 | digit(text[i + 1])));
    return out;
}

gtudp::Wire parse_wire(const TransportOptions& options) {
    gtudp::Wire wire;
    wire.magic = parse_hex("--magic", options.magic);
    wire.checked = options.checked;
    if (options.types.empty()) return wire;
    std::size_t from = 0;
    for (std::size_t i = 0; i < wire.types.size(); ++i) {
        const std::size_t comma = options.types.find(',', from);
        const bool last = i + 1 == wire.types.size();
        if (last != (comma == std::string::npos))
            throw CLI::ValidationError(fmt::format("--types {}: expected three types, DATA,RECV,ACK", options.types));
        wire.types[i] = parse_hex("--types", options.types.substr(from, last ? comma : comma - from));
        from = comma + 1;
    }
    return wire;
}

const char* reason(gtudp::WireError error) {
    switch (error) {
        case gtudp::WireError::type_empty: return "a type is empty";
        case gtudp::WireError::type_lengths: return "the types differ in length";
        case gtudp::WireError::types_equal: return "two types are the same";
        case gtudp::WireError::header_too_long: return "the header leaves no room in a datagram";
    }
    return "";
}

void add_gtudp(CLI::App& command, TransportOptions& options, TransportChoice choice) {
    command.add_option("--magic", options.magic, "gtudp: prefix of every datagram (default none)")->type_name("HEX");
    command
        .add_option("--types", options.types,
                    "gtudp: type fields of DATA, RECV and ACK, equally long (default 1d,5f,ae)")
        ->type_name("HEX,HEX,HEX");
    command.add_flag("--checked", options.checked,
                     "gtudp: end each message with a CRC-32C; the peer needs it too (default UDP checksum only)");
    add_parsed(command, "--sends", options.resending.data_sends_max, parse_sends,
               "gtudp: least transmissions of a message before giving up (default 6)");
    add_parsed(command, "--patience", options.resending.patience, parse_patience,
               "gtudp: least time before giving up a message (default 10s; 0s with --resend-after)")
        ->type_name("TIME");
    add_parsed(command, "--recv-sends", options.resending.recv_sends_max, parse_sends,
               "gtudp: transmissions of a RECV (default 10)");
    add_parsed(command, "--resend-after", options.resending.fixed_interval, parse_interval,
               "gtudp: fixed resend interval (default adaptive, by the round trip of each peer)")
        ->type_name("TIME");
    add_parsed(command, "--congestion", options.congestion, parse_congestion,
               choice.window
                   ? "gtudp: congestion control; fixed: only --window limits what is in flight (default cubic)"
                   : "gtudp: congestion control; fixed: none (default cubic)")
        ->type_name("cubic|fixed");
    options.gtudp_options = {"--magic",    "--types",      "--checked",      "--sends",
                             "--patience", "--recv-sends", "--resend-after", "--congestion"};
    if (!choice.window) return;
    options.gtudp_options.emplace_back("--window");
    add_parsed(command, "--window", options.window, parse_window,
               "gtudp: maximum messages in flight (default 8192, less if they exceed 2 MiB)");
}

void add_native(CLI::App& command, TransportOptions& options, TransportChoice choice) {
    command
        .add_option("--psk", options.psk,
                    "native: secret that both ends share, of `ringpost key shared`; it proves membership of the group, "
                    "not which member (default none)")
        ->type_name("FILE");
    command
        .add_option("--key", options.key,
                    choice.server ? "native: secret key of this server, of `ringpost key new` (default none)"
                                  : "native: secret key of this client; needs --peer (default anonymous)")
        ->type_name("FILE");
    options.native_options = {"--psk", "--key", "--insecure", "--qlog"};
    if (!choice.server) {
        command.add_option("--peer", options.peer, "native: the server's public key, in base64 (default none)")
            ->type_name("KEY");
        options.native_options.emplace_back("--peer");
    }
    command.add_flag("--insecure", options.insecure,
                     "native: neither encrypt nor authenticate; the peer needs it too (default off)");
    command
        .add_option("--qlog", options.qlog,
                    "native: log packets and windows of each connection in the qlog format, in this directory (default "
                    "none)")
        ->type_name("DIR");
}

/// Of native: what names the keys of this end.
void check_keys(const CLI::App& command, const TransportOptions& options) {
    const bool server = command.get_option_no_throw("--peer") == nullptr;
    if (server && options.psk.empty() && options.key.empty() && !options.insecure)
        throw CLI::ValidationError("--transport native: needs --psk or --key, or --insecure");
    if (server && !options.allow.empty() && options.key.empty())
        throw CLI::ValidationError(fmt::format("--allow {}: a list of clients needs --key", options.allow));
    if (server || options.own_secret) return;
    if (options.psk.empty() && options.peer.empty() && !options.insecure)
        throw CLI::ValidationError("--transport native: needs --psk or --peer, or --insecure");
    if (!options.key.empty() && options.peer.empty())
        throw CLI::ValidationError("--key: needs --peer, the server's public key");
    if (!options.psk.empty() && !options.peer.empty() && options.key.empty())
        throw CLI::ValidationError("--psk with --peer: needs --key, too");
}

}  // namespace

void add_transport(CLI::App& command, TransportOptions& options, TransportChoice choice) {
    begin_group(command, "Transport");
    if (choice.reliable) {
        options.kind = Transport::gtudp;
        add_parsed(command, "--transport", options.kind, parse_reliable,
                   "transport protocol; native is encrypted and keeps the order (default gtudp)")
            ->type_name("gtudp|native");
    } else {
        add_parsed(command, "--transport", options.kind, parse_transport,
                   "transport protocol; gtudp and native deliver each message once, native encrypted (default raw)")
            ->type_name("raw|gtudp|native");
    }
    add_gtudp(command, options, choice);
    add_native(command, options, choice);
}

void check_transport(const CLI::App& command, TransportOptions& options) {
    const auto check = [&](const std::vector<std::string>& names, bool chosen, const char* transport) {
        for (const std::string& name : names)
            if (const CLI::Option* option = command.get_option_no_throw(name);
                !chosen && option != nullptr && option->count() > 0)
                throw CLI::ValidationError(fmt::format("{}: requires --transport {}", name, transport));
    };
    check(options.gtudp_options, options.gtudp(), "gtudp");
    check(options.native_options, options.native(), "native");
    if (!options.native() && !options.allow.empty()) throw CLI::ValidationError(options.allow_error);
    if (options.native()) check_keys(command, options);
    options.wire = parse_wire(options);
    auto codec = gtudp::Codec::make(options.wire);
    if (!codec)
        throw CLI::ValidationError(
            fmt::format("--magic {} --types {}: {}", options.magic, options.types, reason(codec.error())));
    options.codec = std::move(*codec);
}

Keys keys_of(const TransportOptions& options) {
    if (options.own_secret) return Keys::shared(*options.own_secret);
    Keys keys = options.key.empty() ? Keys::none() : Keys::pair(options.key);
    if (!options.psk.empty()) keys = keys.with_shared(options.psk);
    if (!options.peer.empty()) keys = keys.peer(options.peer);
    if (!options.allow.empty()) keys = keys.allow(options.allow);
    return keys;
}

std::uint32_t window_for(const TransportOptions& options, std::size_t bytes) {
    if (options.window > 0) return options.window;
    return static_cast<std::uint32_t>(std::clamp<std::size_t>((2u << 20) / bytes, 16, 8'192));
}

gtudp::Options wire_options(const TransportOptions& options, std::uint64_t deliveries_max) {
    gtudp::Options out;
    out.deliveries_max = deliveries_max;
    out.codec = options.codec;
    out.resending = options.resending;
    out.congestion = options.congestion;
    out.first_identity = random_value<gtudp::Identity>();
    out.seed = random_value<std::uint64_t>();
    out.key = random_key();
    out.start = now();
    return out;
}

gtudp::OpenOptions open_options(const CommonOptions& common, const TransportOptions& transport) {
    gtudp::OpenOptions out{.gro = common.gro, .engine = common.engine, .wire = transport.wire};
    out.protocol.resending = transport.resending;
    out.protocol.congestion = transport.congestion;
    return out;
}

namespace {

/// Messages of up to 64 KiB at the rate of a fast network.
native::EndpointOptions tunnel_wire() {
    native::ProtocolOptions protocol;
    protocol.channels = 1;
    protocol.send_log_bytes = 8u << 20;
    protocol.channel_window = protocol.connection_window = 16u << 20;
    return native::endpoint_options(protocol, "ringpost");
}

std::unique_ptr<native::Qlog> log_in(const TransportOptions& options, native::Qlog::Role role) {
    auto log = native::Qlog::open(options.qlog, role);
    if (!log) throw Failure(Exit::failed, log.error().text);
    return std::move(*log);
}

template <class T>
T value_or_refuse(Result<T> result) {
    if (!result) throw Failure(Exit::usage, result.error().text);
    return std::move(*result);
}

}  // namespace

NativeServer native_server(const TransportOptions& options, std::size_t engines, const Report& report) {
    const Keys keys = keys_of(options);
    NativeServer out{.options = value_or_refuse(native::server_options(keys, options.insecure)),
                     .logs = {},
                     .clients = {},
                     .first_clients = {}};
    for (std::size_t i = 0; i < engines && !options.qlog.empty(); ++i)
        out.logs.push_back(log_in(options, native::Qlog::Role::server));
    if (const auto& allowed = keys.chain().allowed) {
        out.first_clients = std::make_shared<const crypto::AllowList>(*allowed, random_key());
        out.clients = std::make_unique<ClientList>(options.allow, report, out.first_clients);
        out.options.allow = out.first_clients.get();
    }
    return out;
}

void check_client_keys(const TransportOptions& options) {
    if (options.native()) value_or_refuse(native::client_options(keys_of(options), options.insecure));
}

std::unique_ptr<native::Qlog> client_log(const TransportOptions& options) {
    return options.qlog.empty() ? nullptr : log_in(options, native::Qlog::Role::client);
}

traffic::NativeTunnelOptions tunnel_to(const Address& server, const TransportOptions& options, native::Qlog* log) {
    traffic::NativeTunnelOptions out{.wire = tunnel_wire(), .server = server, .key = random_key()};
    out.wire.connections_max = 2;
    out.wire.connection.tracer = log;
    out.client = value_or_refuse(native::client_options(keys_of(options), options.insecure));
    out.client->clock_ms = native::wall_clock_ms();
    return out;
}

traffic::NativeTunnelOptions tunnel_of(const NativeServer& server, std::size_t engine) {
    traffic::NativeTunnelOptions out{.wire = tunnel_wire(), .key = random_key()};
    out.wire.shard = static_cast<std::uint8_t>(engine);
    out.wire.server = server.options;
    if (!server.logs.empty()) out.wire.connection.tracer = server.logs[engine].get();
    return out;
}

void steer_to_shards(std::vector<UdpSocket>& sockets, const Report& report) {
    if (sockets.size() < 2) return;
    const auto steered = sockets.front().steer_by_second_byte(native::form_mask, native::short_form);
    if (!steered) report.note(steered.error().text + ": a client that changes its address loses its connection");
}

void add_native_counts(Json& counts, const native::Endpoint& endpoint) {
    add_counters(counts, "native", endpoint.counters());
    if (endpoint.responder_counters() != nullptr) add_counters(counts, "handshakes", *endpoint.responder_counters());
    if (const auto of_clients = endpoint.initiator_counters(); of_clients.sent > 0)
        add_counters(counts, "initiator", of_clients);
    add_counters(counts, "connection", endpoint.statistics());
}

Json path_json(const native::Path& path) {
    const auto us = [](Duration time) { return static_cast<double>(time) / 1e3; };
    return {{"rtt_smoothed_us", us(path.rtt_smoothed)}, {"rtt_variation_us", us(path.rtt_variation)},
            {"rtt_min_us", us(path.rtt_min)},           {"window_bytes", path.window_bytes},
            {"in_flight_bytes", path.in_flight_bytes},  {"pacing_bytes_per_s", path.pacing_bytes_per_s},
            {"datagram_bytes", path.datagram_bytes}};
}

std::string native_text(const Json& summary) {
    const Json& counts = summary["counters"]["connection"];
    const auto count = [&](const char* name) { return grouped(counts[name].get<std::uint64_t>()); };
    return fmt::format("packets sent {}  lost {} (late {})  resent {} bytes  acknowledgements {}  probe timeouts {}",
                       count("packets_sent"), count("packets_lost"), count("packets_spurious"), count("bytes_resent"),
                       count("acks_received"), count("probe_timeouts"));
}

std::string transport_text(const TransportOptions& options) {
    if (!options.reliable()) return "";
    return std::string(", ") + options.name() + (options.insecure ? " insecure" : "");
}

Exit exit_of(const Error& error) {
    if (error.code == ETIMEDOUT || error.code == ECONNREFUSED) return Exit::unreachable;
    for (const char* step : {"connect ", "bind ", "qlog: "})
        if (error.text.starts_with(step)) return Exit::failed;
    return Exit::usage;
}

void add_wire_counts(Json& counts, const gtudp::Counters& counters) {
    counts.update({{"taken", counters.taken},
                   {"confirmed", counters.confirmed},
                   {"gave_up", counters.gave_up_attempts + counters.gave_up_deadline},
                   {"cancelled", counters.cancelled},
                   {"delivered", counters.delivered},
                   {"duplicates", counters.duplicates},
                   {"resends", counters.data_resent},
                   {"recv_resends", counters.recv_resent},
                   {"data_sent", counters.data_sent},
                   {"recv_sent", counters.recv_sent},
                   {"ack_sent", counters.ack_sent},
                   {"app_behind", counters.app_behind},
                   {"table_full", counters.receives_full + counters.receives_peer_full + counters.peers_full},
                   {"data_withheld", counters.data_withheld},
                   {"recv_withheld", counters.recv_withheld},
                   {"ack_withheld", counters.ack_withheld},
                   {"forgotten_early", counters.forgotten_early},
                   {"not_gtudp", counters.foreign}});
    add_counters(counts, "gtudp", counters);
}

void add_wire(Json& summary, const gtudp::Counters& counters) {
    summary["transport"] = "gtudp";
    add_wire_counts(summary, counters);
}

std::string wire_text(const Json& summary) {
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    return fmt::format("DATA sent {} (resent {})  RECV sent {} (resent {})  ACK sent {}", count("data_sent"),
                       count("resends"), count("recv_sent"), count("recv_resends"), count("ack_sent"));
}

}  // namespace ringpost::apps
