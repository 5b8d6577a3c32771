// A preset is a Payload template, built as text from the user's input. Names and keys are restricted to characters
// without a special meaning in that text; all others are escaped.

#include "codec/traffic/presets.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "codec/base/check.hpp"

namespace ringpost::traffic {
namespace {

using ParsedPreset = std::expected<Preset, PresetError>;

Preset make(std::string_view payload, std::string_view match, std::uint16_t port) {
    Preset preset{{}, port};
    RINGPOST_CHECK(preset.dialect.payload.add_text(payload));
    const auto rule = MatchRule::parse(match);
    RINGPOST_CHECK(rule);
    preset.dialect.match = *rule;
    return preset;
}

void append_byte(std::string& out, std::size_t byte) {
    static constexpr char digits[] = "0123456789abcdef";
    out += {'\\', 'x', digits[byte >> 4 & 15], digits[byte & 15]};
}

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
        append_byte(out, label.size());
        out += label;
        const std::size_t taken = std::min(label.size() + 1, name.size());
        name.remove_prefix(taken);
        position += taken;
    }
    append_byte(out, 0);
    return {};
}

/// Returns 0 if `text` is not a record type.
std::uint16_t type_number(std::string_view text) {
    struct Type {
        std::string_view name;
        std::uint16_t number;
    };
    static constexpr Type types[] = {{"A", 1},    {"AAAA", 28}, {"NS", 2},   {"MX", 15},
                                     {"TXT", 16}, {"SOA", 6},   {"PTR", 12}, {"ANY", 255}};
    for (const Type& type : types)
        if (std::ranges::equal(type.name, text, {}, {}, [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : +c; }))
            return type.number;
    std::uint32_t number = 0;
    for (const char digit : text) {
        if (digit < '0' || digit > '9') return 0;
        number = number * 10 + static_cast<std::uint32_t>(digit - '0');
        if (number > 65'535) return 0;
    }
    return static_cast<std::uint16_t>(number);
}

ParsedPreset dns(std::string_view rest, std::size_t position) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    // id; flags: query, recursion desired; one question, no other records
    std::string text = R"({seq:u16be}\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00)";
    if (const auto named = append_name(text, rest.substr(0, comma), position); !named)
        return std::unexpected(named.error());
    const std::uint16_t type = comma == rest.size() ? type_number("A") : type_number(rest.substr(comma + 1));
    if (type == 0)
        return std::unexpected(
            PresetError{"types are A, AAAA, NS, MX, TXT, SOA, PTR, ANY and numbers", position + comma + 1});
    append_byte(text, type >> 8);
    append_byte(text, type);
    Preset preset = make(text + R"(\x00\x01)", "0:2", 53);
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
        append_byte(text, byte);
    }
    Preset preset = make(text + R"(\r\n)", "0:2", 11211);
    preset.dialect.check = AnswerCheck::memcached_get(key);
    return preset;
}

ParsedPreset ntp() {
    std::string text = R"(\x23)";  // leap indicator 0, version 4, mode 3 (client)
    for (int i = 1; i < 40; ++i) append_byte(text, 0);
    // The transmit timestamp need not be a time, since only the client interprets it; it must not be 0.
    Preset preset = make(text + "{random:4}{seq:u32be}", "40:8@24", 123);
    preset.dialect.check = AnswerCheck::ntp();
    return preset;
}

}  // namespace

std::expected<Preset, PresetError> parse_preset(std::string_view text) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::string_view name = text.substr(0, colon), rest = text.substr(std::min(colon + 1, text.size()));
    if (name == "dns") return dns(rest, std::min(colon + 1, text.size()));
    if (name == "memcached-get") return memcached_get(rest, std::min(colon + 1, text.size()));
    if (text == "ntp") return ntp();
    return std::unexpected(PresetError{"presets are dns:NAME[,TYPE], memcached-get:KEY and ntp", 0});
}

}  // namespace ringpost::traffic
