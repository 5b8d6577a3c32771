// A preset is a Payload template, built as text from the user's input. Names and keys are restricted to characters
// without a special meaning in that text; all others are escaped.

#include "codec/traffic/presets.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "codec/base/check.hpp"

namespace ringpost::traffic {
namespace {

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// Appends the labels of a name, each preceded by its length, and the root label (RFC 1035, 3.1).
std::expected<void, PresetError> append_name(std::string& out, std::string_view name, std::size_t position) {
    constexpr std::size_t label_bytes_max = 63, name_bytes_max = 255;
    if (name.empty()) return std::unexpected(PresetError{"a name is needed", position});
    if (name == ".") name = "";
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.size() + 2 > name_bytes_max) return std::unexpected(PresetError{"the name is too long", position});
    while (!name.empty()) {
        const std::string_view label = name.substr(0, name.find('.'));
        if (label.empty() || label.size() + 1 == name.size())
            return std::unexpected(PresetError{"an empty label in the name", position});
        if (label.size() > label_bytes_max)
            return std::unexpected(PresetError{"a label has at most 63 characters", position});
        const auto bad = std::ranges::find_if_not(label, is_name_character);
        if (bad != label.end())
            return std::unexpected(PresetError{"names have letters, digits, - and _",
                                               position + static_cast<std::size_t>(bad - label.begin())});
        append_escaped(out, label.size());
        out += label;
        const std::size_t taken = std::min(label.size() + 1, name.size());
        name.remove_prefix(taken);
        position += taken;
    }
    append_escaped(out, 0);
    return {};
}

char upper_case(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

/// Returns 0 if `text` is not a record type.
std::uint16_t type_number(std::string_view text) {
    struct Type {
        std::string_view name;
        std::uint16_t number;
    };
    // IANA, Domain Name System (DNS) Parameters
    static constexpr Type types[] = {
        {"A", 1},           {"NS", 2},     {"CNAME", 5},       {"SOA", 6},    {"PTR", 12},  {"HINFO", 13},
        {"MX", 15},         {"TXT", 16},   {"RP", 17},         {"AFSDB", 18}, {"SIG", 24},  {"KEY", 25},
        {"AAAA", 28},       {"LOC", 29},   {"SRV", 33},        {"NAPTR", 35}, {"KX", 36},   {"CERT", 37},
        {"DNAME", 39},      {"DS", 43},    {"SSHFP", 44},      {"RRSIG", 46}, {"NSEC", 47}, {"DNSKEY", 48},
        {"DHCID", 49},      {"NSEC3", 50}, {"NSEC3PARAM", 51}, {"TLSA", 52},  {"CDS", 59},  {"CDNSKEY", 60},
        {"OPENPGPKEY", 61}, {"SVCB", 64},  {"HTTPS", 65},      {"SPF", 99},   {"ANY", 255}, {"URI", 256},
        {"CAA", 257}};
    for (const Type& type : types)
        if (std::ranges::equal(type.name, text, {}, {}, upper_case)) return type.number;
    if (text.size() > 4 && std::ranges::equal(text.substr(0, 4), std::string_view("TYPE"), {}, upper_case))
        text.remove_prefix(4);
    std::uint32_t number = 0;
    for (const char digit : text) {
        if (digit < '0' || digit > '9') return 0;
        number = number * 10 + static_cast<std::uint32_t>(digit - '0');
        if (number > 65'535) return 0;
    }
    return static_cast<std::uint16_t>(number);
}

/// Appends a name of any characters to a query. Returns what is wrong, or null.
const char* append_wire_name(std::vector<std::byte>& out, std::string_view name) {
    constexpr std::size_t label_bytes_max = 63, name_bytes_max = 255;
    const std::size_t begin = out.size();
    if (name == ".") name = "";
    while (!name.empty()) {
        const std::size_t length_at = out.size();
        out.push_back({});
        for (; !name.empty() && name[0] != '.'; name.remove_prefix(1)) {
            std::uint32_t value = static_cast<unsigned char>(name[0]);
            if (name[0] == '\\') {
                const auto digit = [&](std::size_t i) { return name[i] >= '0' && name[i] <= '9' ? name[i] - '0' : -1; };
                if (name.size() < 2) return "a name ends with a backslash";
                const bool decimal = name.size() > 3 && digit(1) >= 0 && digit(2) >= 0 && digit(3) >= 0;
                value = decimal ? static_cast<std::uint32_t>(100 * digit(1) + 10 * digit(2) + digit(3))
                                : static_cast<unsigned char>(name[1]);
                if (value > 255) return "\\DDD is at most \\255";
                name.remove_prefix(decimal ? 3 : 1);
            }
            out.push_back(static_cast<std::byte>(value));
        }
        const std::size_t bytes = out.size() - length_at - 1;
        if (bytes == 0) return "an empty label in the name";
        if (bytes > label_bytes_max) return "a label has at most 63 characters";
        out[length_at] = static_cast<std::byte>(bytes);
        if (!name.empty()) name.remove_prefix(1);
    }
    out.push_back({});
    return out.size() - begin > name_bytes_max ? "the name is too long" : nullptr;
}

constexpr const char* types_text = "types are A, AAAA, NS, MX, TXT, SOA, PTR, SRV, HTTPS, ANY and others, and numbers";

ParsedPreset dns(std::string_view rest, std::size_t position) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    // id; flags: query, recursion desired; one question, no other records
    std::string text = R"({seq:u16be}\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00)";
    if (const auto named = append_name(text, rest.substr(0, comma), position); !named)
        return std::unexpected(named.error());
    const std::uint16_t type = comma == rest.size() ? type_number("A") : type_number(rest.substr(comma + 1));
    if (type == 0) return std::unexpected(PresetError{types_text, position + comma + 1});
    append_escaped(text, type >> 8);
    append_escaped(text, type);
    Preset preset = make_preset(text + R"(\x00\x01)", "0:2", 53);
    constexpr std::size_t header_bytes = 12;
    std::vector<std::byte> query(preset.dialect.payload.bytes_max());
    preset.dialect.payload.write(query, {});
    preset.dialect.check = AnswerCheck::dns(std::span(query).subspan(header_bytes));
    return preset;
}

ParsedPreset memcached_get(std::string_view key, std::size_t position) {
    constexpr std::size_t key_bytes_max = 250;
    if (key.empty()) return std::unexpected(PresetError{"a key is needed", position});
    if (key.size() > key_bytes_max) return std::unexpected(PresetError{"a key has at most 250 bytes", position});
    // request id; datagram 0 of 1; reserved
    std::string text = R"({seq:u16be}\x00\x00\x00\x01\x00\x00get )";
    for (const char& c : key) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= ' ' || byte == 0x7f)
            return std::unexpected(PresetError{"a key has neither spaces nor control characters",
                                               position + static_cast<std::size_t>(&c - key.data())});
        append_escaped(text, byte);
    }
    Preset preset = make_preset(text + R"(\r\n)", "0:2", 11211);
    preset.dialect.check = AnswerCheck::memcached_get(key);
    return preset;
}

ParsedPreset ntp() {
    std::string text = R"(\x23)";  // leap indicator 0, version 4, mode 3 (client)
    for (int i = 1; i < 40; ++i) append_escaped(text, 0);
    // The transmit timestamp need not be a time, since only the client interprets it; it must not be 0.
    Preset preset = make_preset(text + "{random:4}{seq:u32be}", "40:8@24", 123);
    preset.dialect.check = AnswerCheck::ntp();
    return preset;
}

}  // namespace

Preset make_preset(std::string_view payload, std::string_view match, std::uint16_t port) {
    Preset preset{{}, port};
    RINGPOST_CHECK(preset.dialect.payload.add_text(payload));
    const auto rule = MatchRule::parse(match);
    RINGPOST_CHECK(rule);
    preset.dialect.match = *rule;
    return preset;
}

void append_escaped(std::string& out, std::size_t byte) {
    static constexpr char digits[] = "0123456789abcdef";
    out += {'\\', 'x', digits[byte >> 4 & 15], digits[byte & 15]};
}

std::expected<std::vector<std::byte>, PresetError> parse_dns_line(std::string_view line) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    const std::size_t name_end = static_cast<std::size_t>(std::ranges::find_if(line, is_space) - line.begin());
    std::size_t type_at = name_end;
    while (type_at < line.size() && is_space(line[type_at])) ++type_at;
    std::string_view type = line.substr(type_at);
    while (!type.empty() && is_space(type.back())) type.remove_suffix(1);
    if (name_end == 0 || type.empty()) return std::unexpected(PresetError{"expected a name and a type", type_at});
    const std::uint16_t number = type_number(type);
    if (number == 0) return std::unexpected(PresetError{types_text, type_at});
    std::vector<std::byte> query(12);
    query[2] = query[5] = std::byte{1};  // recursion desired; one question
    if (const char* wrong = append_wire_name(query, line.substr(0, name_end)))
        return std::unexpected(PresetError{wrong, 0});
    for (const std::uint32_t byte : {number / 256u, number % 256u, 0u, 1u})
        query.push_back(static_cast<std::byte>(byte));
    return query;
}

ParsedPreset parse_preset(std::string_view text) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::string_view name = text.substr(0, colon), rest = text.substr(std::min(colon + 1, text.size()));
    if (name == "dns") return dns(rest, std::min(colon + 1, text.size()));
    if (name == "memcached-get") return memcached_get(rest, std::min(colon + 1, text.size()));
    if (text == "ntp") return ntp();
    const bool has_rest = colon < text.size();
    if (auto parsed =
            parse_service_preset(name, has_rest ? std::optional(rest) : std::nullopt, std::min(colon + 1, text.size())))
        return std::move(*parsed);
    return std::unexpected(
        PresetError{"presets are dns, dns-file, memcached-get, ntp, snmp-get, coap-get, radius, sip-options, quic-vn, "
                    "game:a2s, statsd and syslog",
                    0});
}

}  // namespace ringpost::traffic
