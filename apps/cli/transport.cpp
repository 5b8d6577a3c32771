#include "apps/cli/transport.hpp"

#include <fmt/core.h>

#include "apps/cli/random.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {
namespace {

bool parse_transport(const std::string& text) {
    if (text == "raw") return false;
    if (text == "gtudp") return true;
    throw std::invalid_argument("one of raw, gtudp");
}

gtudp::CongestionControl parse_congestion(const std::string& text) {
    if (text == "cubic") return gtudp::CongestionControl::cubic;
    if (text == "fixed") return gtudp::CongestionControl::fixed;
    throw std::invalid_argument("one of cubic, fixed");
}

bool parse_gtudp_only(const std::string& text) {
    if (text == "gtudp") return true;
    throw std::invalid_argument("only gtudp confirms messages");
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

}  // namespace

void add_transport(CLI::App& command, TransportOptions& options, TransportChoice choice) {
    begin_group(command, "Transport");
    options.gtudp = choice.gtudp_only;
    if (choice.gtudp_only)
        add_parsed(command, "--transport", options.gtudp, parse_gtudp_only, "transport protocol (default gtudp)")
            ->type_name("gtudp");
    else
        add_parsed(command, "--transport", options.gtudp, parse_transport,
                   "transport protocol; gtudp confirms messages and delivers each once (default raw)")
            ->type_name("raw|gtudp");
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
               "gtudp: congestion control; fixed: only --window limits what is in flight (default cubic)")
        ->type_name("cubic|fixed");
    options.gtudp_options = {"--magic",    "--types",      "--checked",      "--sends",
                             "--patience", "--recv-sends", "--resend-after", "--congestion"};
    if (!choice.window) return;
    options.gtudp_options.push_back("--window");
    add_parsed(command, "--window", options.window, parse_window,
               "gtudp: maximum messages in flight (default 8192, less if they exceed 2 MiB)");
}

void check_transport(const CLI::App& command, TransportOptions& options) {
    for (const char* name : options.gtudp_options)
        if (const CLI::Option* option = command.get_option_no_throw(name);
            !options.gtudp && option != nullptr && option->count() > 0)
            throw CLI::ValidationError(fmt::format("{}: requires --transport gtudp", name));
    options.wire = parse_wire(options);
    auto codec = gtudp::Codec::make(options.wire);
    if (!codec)
        throw CLI::ValidationError(
            fmt::format("--magic {} --types {}: {}", options.magic, options.types, reason(codec.error())));
    options.codec = std::move(*codec);
}

std::uint32_t window_for(const TransportOptions& options, std::size_t bytes) {
    if (options.window > 0) return options.window;
    return static_cast<std::uint32_t>(std::clamp<std::size_t>((2u << 20) / bytes, 16, 8'192));
}

gtudp::Options wire_options(const TransportOptions& options) {
    gtudp::Options out;
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
