#include "apps/commands/struct_values.hpp"

#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <deque>
#include <optional>

#include "apps/cli/options.hpp"
#include "apps/cli/printable.hpp"
#include "codec/base/utf8.hpp"

namespace ringpost::apps {
namespace {

using structs::Slot;
using structs::Value;

std::optional<Value> parse_integer(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    if (hexadecimal) text.remove_prefix(2);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal ? 16 : 10);
    constexpr std::uint64_t lowest = std::uint64_t{1} << 63;
    if (error != std::errc{} || end != text.data() + text.size() || (negative && number > lowest)) return std::nullopt;
    if (!negative) return number;
    return static_cast<std::int64_t>(~number + 1);
}

std::optional<Value> parse_real(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// Replaces \xNN and \\; nothing if there is any other backslash.
std::optional<std::string> unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
        } else if (text.substr(i).starts_with("\\\\")) {
            out += text[++i];
        } else {
            unsigned byte = 0;
            const std::string_view digits = text.substr(i, 4);
            if (digits.size() < 4 || digits[1] != 'x' ||
                std::from_chars(&digits[2], &digits[2] + 2, byte, 16).ptr != &digits[2] + 2)
                return std::nullopt;
            out += static_cast<char>(byte);
            i += 3;
        }
    }
    return out;
}

/// Describes the values that a slot accepts.
std::string describe(const Slot& slot) {
    if (slot.is_integer()) {
        const auto [min, max] = structs::range_of(slot);
        return fmt::format("`{}` is a whole number from {} to {}", slot.code, min, max);
    }
    switch (slot.code) {
        case 'f': return "`f` is a single-precision number";
        case 'd': return "`d` is a number";
        case '?': return "`?` is true or false";
        case 'c': return R"(`c` is one byte, such as Z or \x00; \\ is a backslash)";
        default:
            return fmt::format(R"(`{}s` is at most {} bytes; \xNN is a byte, \\ a backslash)", slot.bytes, slot.bytes);
    }
}

/// Parses a value of the slot's type; nothing if `text` is not one. `kept` owns the bytes of a c or s.
std::optional<Value> parse(const Slot& slot, const std::string& text, std::deque<std::string>& kept) {
    if (slot.is_integer()) return parse_integer(text);
    switch (slot.code) {
        case 'f':
        case 'd': return parse_real(text);
        case '?':
            if (text != "true" && text != "false") return std::nullopt;
            return text == "true";
        default: break;
    }
    auto bytes = unescaped(text);
    if (!bytes || bytes->size() > slot.bytes) return std::nullopt;
    return kept.emplace_back(std::move(*bytes));
}

/// The bytes of a c or s, without the padding zeros of an s.
std::string_view without_padding(const Slot& slot, std::string_view bytes) {
    if (slot.code == 's') bytes = bytes.substr(0, bytes.find_last_not_of('\0') + 1);
    return bytes;
}

std::string quoted(std::string_view bytes) {
    std::string out = "\"";
    while (!bytes.empty()) {
        const bool special = bytes[0] == '\\' || bytes[0] == '"';
        const std::size_t length = special ? 0 : printable_bytes(bytes);
        if (length > 0)
            out += bytes.substr(0, length);
        else
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0]));
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out + '"';
}

/// Calls each(slot, value) for every value of the payload.
template <class Each>
void for_each_value(const structs::Format& format, std::span<const std::byte> payload, const Each& each) {
    structs::Format::Slots slots = format.slots();
    structs::ValueReader reader(format, payload);
    while (const auto value = reader.next()) each(*slots.next(), *value);
}

}  // namespace

std::vector<std::byte> pack_texts(const structs::Definition& definition, const std::vector<std::string>& texts) {
    const structs::Format& format = definition.format;
    if (texts.size() != format.values())
        throw Failure(Exit::usage, fmt::format("{}: its format \"{}\" has {} values, {} are given", definition.name,
                                               definition.format_text, format.values(), texts.size()));
    const auto refuse = [&](std::size_t index, const Slot& slot) {
        throw Failure(Exit::usage,
                      fmt::format("{}: value {}, {}: {}", definition.name, index + 1,
                                  texts[index].empty() ? "an empty string" : texts[index], describe(slot)));
    };
    std::deque<std::string> kept;
    std::vector<Value> values;
    structs::Format::Slots slots = format.slots();
    for (const std::string& text : texts) {
        const Slot slot = *slots.next();
        const auto value = parse(slot, text, kept);
        if (!value) refuse(values.size(), slot);
        values.push_back(*value);
    }
    std::vector<std::byte> payload(format.bytes());
    if (const auto packed = structs::pack(format, values, payload); !packed)
        refuse(packed.error().index, packed.error().slot);
    return payload;
}

std::vector<std::string> split_values(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::vector<std::string> out;
    while (true) {
        const std::size_t first = line.find_first_not_of(" \t");
        if (first == std::string_view::npos) return out;
        line.remove_prefix(first);
        const bool in_quotes = line[0] == '"';
        if (in_quotes) line.remove_prefix(1);
        const std::size_t end = in_quotes ? line.find('"') : std::min(line.find_first_of(" \t"), line.size());
        if (end == std::string_view::npos) throw Failure(Exit::usage, "a quote is not closed");
        out.emplace_back(line.substr(0, end));
        line.remove_prefix(end + (in_quotes ? 1 : 0));
    }
}

std::string values_text(const structs::Definition& definition, std::span<const std::byte> payload) {
    std::string out;
    for_each_value(definition.format, payload, [&](const Slot& slot, const Value& value) {
        if (!out.empty()) out += ' ';
        if (const auto* bytes = std::get_if<std::string_view>(&value))
            out += quoted(without_padding(slot, *bytes));
        else
            out += std::visit([](const auto& held) { return fmt::format("{}", held); }, value);
    });
    return out;
}

Json values_json(const structs::Definition& definition, std::span<const std::byte> payload) {
    Json out = Json::array();
    for_each_value(definition.format, payload, [&](const Slot& slot, const Value& value) {
        if (const auto* bytes = std::get_if<std::string_view>(&value)) {
            const std::string_view text = without_padding(slot, *bytes);
            out.push_back(is_utf8(text) ? Json(text) : Json{{"hex", hex_text(text)}});
        } else if (const auto* number = std::get_if<double>(&value); number != nullptr && !std::isfinite(*number)) {
            out.push_back(std::isnan(*number) ? "nan" : *number > 0 ? "inf" : "-inf");
        } else {
            std::visit([&](const auto& held) { out.push_back(held); }, value);
        }
    });
    return out;
}

std::vector<std::string> escape_brackets(int argc, const char* const* argv) {
    std::vector<std::string> out(argv, argv + argc);
    if (argc < 2 || out[1] != "struct") return out;
    for (std::string& argument : out)
        if (argument.starts_with('[') && argument.ends_with(']')) argument.replace(0, 1, "\\x5b");
    return out;
}

}  // namespace ringpost::apps
