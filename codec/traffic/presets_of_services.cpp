// Each preset is built as the text of one payload. Bytes that come from the user are escaped, so that they have no
// meaning there; only the message of syslog may have fields.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "codec/base/limits.hpp"
#include "codec/crypto/md5.hpp"
#include "codec/traffic/presets.hpp"

namespace ringpost::traffic {
namespace {

using Octets = std::string;  // raw bytes

std::unexpected<PresetError> preset_error(const char* reason, std::size_t position) {
    return std::unexpected(PresetError{reason, position});
}

void append_all_escaped(std::string& out, std::string_view bytes) {
    for (const char c : bytes) append_escaped(out, static_cast<unsigned char>(c));
}

/// Of one line without spaces, as names and URIs have to be.
const char* bad_character(std::string_view text) {
    const auto bad = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; };
    const auto found = std::ranges::find_if(text, bad);
    return found == text.end() ? nullptr : &*found;
}

// ---- text -----------------------------------------------------------------------------------------

ParsedPreset statsd(std::string_view name, std::size_t position) {
    if (name.empty()) return preset_error("a name is needed", position);
    for (const char& c : name)
        if (bad_character({&c, 1}) != nullptr || c == ':' || c == '|' || c == '@' || c == '#')
            return preset_error("a name has neither spaces nor : | @ #",
                                position + static_cast<std::size_t>(&c - name.data()));
    std::string text;
    append_all_escaped(text, name);
    Preset preset = make_preset(text + ":1|c", "echo", 8125);
    preset.replies = false;
    return preset;
}

ParsedPreset syslog(std::string_view message, std::size_t position) {
    // PRI of facility user and severity notice, version, HOSTNAME, APP-NAME, PROCID, MSGID, STRUCTURED-DATA
    constexpr std::string_view header = "<13>1 {time:rfc3339} - ringpost - - - ";
    Preset preset{{}, 514, false};
    const auto added = preset.dialect.payload.add_text(std::string(header) + std::string(message));
    if (added) return preset;
    const std::size_t at = added.error().position;
    return preset_error(describe(added.error().kind), position + (at > header.size() ? at - header.size() : 0));
}

ParsedPreset sip_options(std::string_view uri, std::size_t position) {
    if (uri.empty()) return preset_error("a URI is needed", position);
    if (const char* bad = bad_character(uri))
        return preset_error("a URI has neither spaces nor control characters",
                            position + static_cast<std::size_t>(bad - uri.data()));
    const auto bracket = uri.find_first_of("<>");
    if (bracket != std::string_view::npos) return preset_error("a URI without < and >", position + bracket);
    if (uri.size() > limits::preset_text_max) return preset_error("the URI is too long", position);
    std::string escaped;
    append_all_escaped(escaped, uri);
    const std::string start = "OPTIONS " + escaped + R"( SIP/2.0\r\nVia: SIP/2.0/UDP ringpost.invalid;branch=z9hG4bK)";
    const std::string rest =
        R"({seq:hex}{random:hex};rport\r\nMax-Forwards: 70\r\nTo: <)" + escaped +
        R"(>\r\nFrom: <sip:ringpost@ringpost.invalid>;tag={seq:hex}\r\nCall-ID: {seq:hex}{random:hex}@ringpost\r\n)"
        R"(CSeq: 1 OPTIONS\r\nContact: <sip:ringpost@ringpost.invalid>\r\nAccept: application/sdp\r\n)"
        R"(Content-Length: 0\r\n\r\n)";
    // 4 characters escape one byte of the URI, 2 one of a line end.
    const std::size_t key_at = start.size() - 3 * uri.size() - 2;
    Preset preset = make_preset(start + rest, std::to_string(key_at) + ":8@0", 5060);
    preset.dialect.check = AnswerCheck::sip();
    return preset;
}

// ---- SNMP -----------------------------------------------------------------------------------------

/// BER (X.690, 8.1).
Octets ber(char tag, const Octets& value) {
    Octets out(1, tag);
    if (value.size() >= 0x80) {
        out += value.size() > 0xff ? '\x82' : '\x81';
        if (value.size() > 0xff) out += static_cast<char>(value.size() >> 8);
    }
    return out + static_cast<char>(value.size()) + value;
}

/// The contents of an OBJECT IDENTIFIER (X.690, 8.19); "" if the text is none.
Octets object_identifier(std::string_view text) {
    constexpr std::size_t arcs_max = 128;
    if (text.starts_with('.')) text.remove_prefix(1);
    std::vector<std::uint64_t> arcs;
    while (arcs.size() < arcs_max) {
        const std::size_t end = std::min(text.find('.'), text.size());
        std::uint64_t arc = 0;
        if (end == 0 || end > 10) return {};
        for (const char c : text.substr(0, end)) {
            if (c < '0' || c > '9') return {};
            arc = arc * 10 + static_cast<std::uint64_t>(c - '0');
        }
        arcs.push_back(arc);
        if (end == text.size()) break;
        text.remove_prefix(end + 1);
    }
    if (arcs.size() < 2 || arcs.size() == arcs_max || arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39)) return {};
    arcs[1] += arcs[0] * 40;
    Octets out;
    for (std::size_t i = 1; i < arcs.size(); ++i) {
        if (arcs[i] > UINT32_MAX) return {};
        for (int shift = 28; shift >= 0; shift -= 7) {
            const std::uint64_t rest = arcs[i] >> shift;
            if (rest > 0 || shift == 0) out += static_cast<char>((rest & 0x7f) | (shift > 0 ? 0x80 : 0));
        }
    }
    return out;
}

ParsedPreset snmp_get(std::string_view rest, std::size_t position) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const Octets oid = object_identifier(rest.substr(0, comma));
    if (oid.empty()) return preset_error("expected an OID such as 1.3.6.1.2.1.1.3.0", position);
    const std::string_view community = comma == rest.size() ? "public" : rest.substr(comma + 1);
    if (community.empty() || community.size() > limits::preset_text_max)
        return preset_error("a community is needed", position + comma + 1);
    const Octets integer_0("\x02\x01\x00", 3), null("\x05\x00", 2), version_2c("\x02\x01\x01", 3);
    // A request-id of four bytes whatever its number: the first one is neither 0 nor negative.
    const Octets id("\x02\x04\x4e\x00\x00\x00", 6);
    const Octets tail = integer_0 + integer_0 + ber('\x30', ber('\x30', ber('\x06', oid) + null));
    const Octets message = ber('\x30', version_2c + ber('\x04', Octets(community)) + ber('\xa0', id + tail));
    const std::size_t id_at = message.size() - tail.size() - 4;
    std::string text;
    append_all_escaped(text, std::string_view(message).substr(0, id_at + 1));
    text += "{random:1}{seq:u16be}";
    append_all_escaped(text, tail);
    Preset preset = make_preset(text, std::to_string(id_at) + ":4@0", 161);
    preset.dialect.check = AnswerCheck::snmp();
    return preset;
}

// ---- CoAP -----------------------------------------------------------------------------------------

/// Appends an option `delta` after the one before (RFC 7252, 3.1).
void append_option(std::string& text, std::size_t delta, std::string_view value) {
    const bool extended = value.size() >= 13;
    append_escaped(text, delta << 4 | (extended ? 13 : value.size()));
    if (extended) append_escaped(text, value.size() - 13);
    append_all_escaped(text, value);
}

ParsedPreset coap_get(std::string_view path, std::size_t position) {
    constexpr std::size_t uri_path = 11, uri_query = 15, option_bytes_max = 255;
    if (path.empty() || path == "/?") return preset_error("a path is needed", position);
    // Version 1, non-confirmable, a token of 4 bytes; GET; message id; token
    std::string text = R"(\x54\x01{seq:u16be}{seq:u32be})";
    const std::size_t query = std::min(path.find('?'), path.size());
    std::size_t number = 0;
    const auto append_parts = [&](std::string_view parts, char separator, std::size_t option) {
        while (!parts.empty()) {
            const std::size_t end = std::min(parts.find(separator), parts.size());
            if (end > option_bytes_max) return false;
            append_option(text, option - std::exchange(number, option), parts.substr(0, end));
            parts.remove_prefix(std::min(end + 1, parts.size()));
        }
        return true;
    };
    std::string_view segments = path.substr(0, query);
    if (segments.starts_with('/')) segments.remove_prefix(1);
    if (path.size() > limits::preset_text_max || !append_parts(segments, '/', uri_path) ||
        !append_parts(path.substr(std::min(query + 1, path.size())), '&', uri_query))
        return preset_error("a segment of a path has at most 255 bytes", position);
    Preset preset = make_preset(text, "4:4", 5683);
    preset.dialect.check = AnswerCheck::coap();
    return preset;
}

// ---- RADIUS ---------------------------------------------------------------------------------------

ParsedPreset radius(std::string_view rest, std::size_t position) {
    constexpr std::size_t value_bytes_max = 253, password_bytes_max = 128, header_bytes = 20, digest_bytes = 16;
    constexpr std::size_t user_name = 1, user_password = 2, nas_identifier = 32, message_authenticator = 80;
    const std::size_t first = std::min(rest.find(','), rest.size());
    const std::string_view secret = rest.substr(0, first);
    if (secret.empty()) return preset_error("a secret is needed", position);
    if (!crypto::has_md5()) return preset_error("OpenSSL is set up without MD5", position);
    const bool status = first == rest.size();
    const std::string_view account = status ? "" : rest.substr(first + 1);
    const std::size_t second = account.find(',');
    if (!status && (second == std::string_view::npos || second == 0 || second > value_bytes_max))
        return preset_error("expected SECRET or SECRET,USER,PASSWORD", position + first);
    const std::string_view user = account.substr(0, status ? 0 : second);
    const std::string_view password = status ? "" : account.substr(second + 1);
    if (password.size() > password_bytes_max) return preset_error("a password has at most 128 bytes", position);
    std::string attributes;
    std::size_t at = header_bytes;
    const auto append_attribute = [&](std::size_t type, std::string_view value) {
        append_escaped(attributes, type);
        append_escaped(attributes, value.size() + 2);
        append_all_escaped(attributes, value);
        at += value.size() + 2;
        return static_cast<std::uint16_t>(at - value.size());
    };
    RadiusSeal seal{.secret = std::string(secret), .password = std::string(password)};
    // The first attribute, as servers want it since responses could be forged otherwise.
    seal.authenticator_at = append_attribute(message_authenticator, std::string(digest_bytes, '\0'));
    if (!status) {
        append_attribute(user_name, user);
        seal.password_at =
            append_attribute(user_password, std::string(RadiusSeal::hidden_bytes(password.size()), '\0'));
        append_attribute(nas_identifier, "ringpost");
    }
    std::string text = status ? R"(\x0c{seq:u8})" : R"(\x01{seq:u8})";
    append_escaped(text, at >> 8);
    append_escaped(text, at);
    Preset preset = make_preset(text + "{random:16}" + attributes, "1:1", 1812);
    preset.dialect.payload.set_seal(std::move(seal));
    preset.dialect.check = AnswerCheck::radius();
    return preset;
}

// ---- without arguments ----------------------------------------------------------------------------

Preset quic_vn() {
    constexpr std::size_t packet_bytes = 1'200, header_bytes = 23;
    // Long header; version; connection ids of 8 bytes
    std::string text = R"(\xc0\x1a\x2a\x3a\x4a\x08{random:8}\x08{random:4}{seq:u32be})";
    for (std::size_t i = header_bytes; i < packet_bytes; ++i) append_escaped(text, 0);
    Preset preset = make_preset(text, "15:8@6", 443);
    preset.dialect.check = AnswerCheck::quic();
    return preset;
}

Preset a2s() {
    Preset preset = make_preset(R"(\xff\xff\xff\xffTSource Engine Query\x00\xff\xff\xff\xff)", "order", 27015);
    preset.dialect.check = AnswerCheck::a2s();
    preset.dialect.token_offset = 25;
    preset.dialect.token_bytes = 4;
    return preset;
}

}  // namespace

std::optional<ParsedPreset> parse_service_preset(std::string_view name, std::optional<std::string_view> rest,
                                                 std::size_t position) {
    if (name == "statsd") return statsd(rest.value_or(""), position);
    if (name == "syslog") return syslog(rest.value_or("message {seq}"), position);
    if (name == "sip-options") return sip_options(rest.value_or("sip:localhost"), position);
    if (name == "snmp-get") return snmp_get(rest.value_or(""), position);
    if (name == "coap-get") return coap_get(rest.value_or(""), position);
    if (name == "radius") return radius(rest.value_or(""), position);
    if (name == "quic-vn" && !rest) return quic_vn();
    if (name == "game" && rest == "a2s") return a2s();
    return std::nullopt;
}

}  // namespace ringpost::traffic
