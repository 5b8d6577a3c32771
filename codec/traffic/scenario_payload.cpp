// The text is divided at the fields that only a scenario has. What lies between them is a Payload of its own, so all
// other fields are parsed and written there.

#include "codec/traffic/scenario_payload.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"

namespace ringpost::traffic {
namespace {

constexpr std::string_view session_field = "session";
constexpr std::size_t variable_name_bytes_max = 32;

bool is_name_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_name_digit(char c) { return c >= '0' && c <= '9'; }

/// `text` up to the first of these characters.
std::string_view name_in(std::string_view text) {
    return text.substr(0, std::min(text.find_first_of(":+"), text.size()));
}

bool is_payload_field(std::string_view name) {
    return name == "seq" || name == "time" || name == "random" || name == "pick";
}

std::string reason_at(std::size_t position, std::string_view reason) {
    return "character " + std::to_string(position + 1) + ": " + std::string(reason);
}

}  // namespace

std::uint64_t variable_number(std::span<const std::byte> value) {
    std::uint64_t number = 0;
    for (const std::byte byte : value.last(std::min<std::size_t>(value.size(), 8)))
        number = number << 8 | static_cast<std::uint64_t>(byte);
    return number;
}

std::optional<std::uint8_t> find_variable(std::span<const ScenarioVariable> variables, std::string_view name) {
    for (std::size_t i = 0; i < variables.size(); ++i)
        if (variables[i].name == name) return static_cast<std::uint8_t>(i);
    return std::nullopt;
}

bool names_variable(std::string_view text) {
    if (text.empty() || text.size() > variable_name_bytes_max || !is_name_letter(text[0])) return false;
    if (is_payload_field(text) || text == session_field) return false;
    return std::ranges::all_of(text, [](char c) { return is_name_letter(c) || is_name_digit(c) || c == '_'; });
}

// ---- reading --------------------------------------------------------------------------------------

std::expected<ScenarioPayload, std::string> ScenarioPayload::from_hex(std::string_view digits) {
    ScenarioPayload out;
    Piece piece;
    if (const auto added = piece.payload.add_hex(digits); !added)
        return std::unexpected(reason_at(added.error().position, describe(added.error().kind)));
    out.bytes_min_ = piece.payload.bytes_min();
    out.pieces_.push_back(std::move(piece));
    return out;
}

std::expected<ScenarioPayload, std::string> ScenarioPayload::from_text(std::string_view text,
                                                                       std::span<const ScenarioVariable> variables) {
    ScenarioPayload out;
    std::size_t begun = 0;  // of the text that no piece has yet
    for (std::size_t at = 0; at < text.size();) {
        const std::string_view rest = text.substr(at);
        const bool doubled = rest.starts_with("{{") || rest[0] == '\\';
        if (doubled || rest[0] != '{') {
            at += doubled ? 2 : 1;
            continue;
        }
        const std::size_t end = rest.find('}');
        if (end == std::string_view::npos) break;  // an error of the last piece
        const std::string_view inside = rest.substr(1, end - 1);
        if (!is_payload_field(name_in(inside))) {
            if (const auto added = out.add_payload(Piece::Kind::fields, text.substr(begun, at - begun), begun); !added)
                return std::unexpected(added.error());
            if (const auto added = out.add_field(inside, at, variables); !added) return std::unexpected(added.error());
            begun = at + end + 1;
        }
        at += end + 1;
    }
    if (const auto added = out.add_payload(Piece::Kind::fields, text.substr(begun), begun); !added)
        return std::unexpected(added.error());
    if (out.pieces_.empty()) return std::unexpected("an empty payload");
    return out;
}

std::expected<void, std::string> ScenarioPayload::add_payload(Piece::Kind kind, std::string_view text,
                                                              std::size_t position) {
    if (text.empty()) return {};
    Piece piece;
    piece.kind = kind;
    if (const auto added = piece.payload.add_text(text); !added)
        return std::unexpected(reason_at(position + added.error().position, describe(added.error().kind)));
    bytes_min_ += piece.payload.bytes_min();
    pieces_.push_back(std::move(piece));
    return {};
}

std::expected<void, std::string> ScenarioPayload::add_field(std::string_view inside, std::size_t position,
                                                            std::span<const ScenarioVariable> variables) {
    if (pieces_.size() >= limits::payload_fields_max) return std::unexpected("too many fields in one payload");
    const std::string_view name = name_in(inside);
    if (name == session_field) {
        // The same widths as {seq}; the brace is where it was, so positions stay right.
        const std::string text = "{seq" + std::string(inside.substr(name.size())) + "}";
        return add_payload(Piece::Kind::session, text, position);
    }
    const auto variable = find_variable(variables, name);
    if (!variable)
        return std::unexpected(
            reason_at(position, "{" + std::string(name) + "} is neither a variable taken on a line above nor a field"));
    Piece piece;
    piece.kind = Piece::Kind::bytes;
    piece.variable = *variable;
    std::string_view rest = inside.substr(name.size());
    if (rest == ":hex") {
        piece.kind = Piece::Kind::hex;
    } else if (!rest.empty()) {
        constexpr std::string_view form = "expected {NAME}, {NAME:hex}, {NAME:u16be} or {NAME+1:u16be}";
        if (rest[0] == '+') {
            std::uint32_t added = 0;
            const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), added);
            if (error != std::errc{}) return std::unexpected(reason_at(position, form));
            piece.added = added;
            rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        }
        if (rest.empty() || rest[0] != ':' || !read_number(rest.substr(1), piece))
            return std::unexpected(reason_at(position, form));
        bytes_min_ += piece.width;
    }
    pieces_.push_back(std::move(piece));
    return {};
}

std::expected<void, std::string> ScenarioPayload::read_number(std::string_view width, Piece& piece) {
    struct Width {
        std::string_view name;
        std::uint8_t bytes;
        bool big_endian;
    };
    static constexpr Width widths[] = {{"u8", 1, true},     {"u16be", 2, true}, {"u16le", 2, false}, {"u32be", 4, true},
                                       {"u32le", 4, false}, {"u64be", 8, true}, {"u64le", 8, false}};
    for (const Width& known : widths)
        if (known.name == width) {
            piece.kind = Piece::Kind::number;
            piece.width = known.bytes;
            piece.big_endian = known.big_endian;
            return {};
        }
    return std::unexpected("a width");
}

// ---- writing --------------------------------------------------------------------------------------

std::size_t ScenarioPayload::bytes_max(std::span<const ScenarioVariable> variables) const {
    std::size_t sum = 0;
    for (const Piece& piece : pieces_) switch (piece.kind) {
            case Piece::Kind::fields:
            case Piece::Kind::session: sum += piece.payload.bytes_max(); break;
            case Piece::Kind::bytes: sum += variables[piece.variable].bytes_max; break;
            case Piece::Kind::hex: sum += 2 * variables[piece.variable].bytes_max; break;
            case Piece::Kind::number: sum += piece.width; break;
        }
    return sum;
}

std::size_t ScenarioPayload::write(std::span<std::byte> out, const PayloadValues& values, std::uint64_t session,
                                   const std::byte* variables) const {
    std::size_t size = 0;
    PayloadValues own = values;
    for (const Piece& piece : pieces_) {
        switch (piece.kind) {
            case Piece::Kind::fields:
                size += piece.payload.write_unchecked(&out[size], own);
                ++own.seed;  // the random fields of the next piece differ
                break;
            case Piece::Kind::session: {
                PayloadValues of_session = own;
                of_session.in_flow = session;
                size += piece.payload.write_unchecked(&out[size], of_session);
                break;
            }
            case Piece::Kind::bytes: {
                const auto value = variable_value(variables, piece.variable);
                std::ranges::copy(value, out.subspan(size).begin());
                size += value.size();
                break;
            }
            case Piece::Kind::hex: {
                static constexpr std::string_view digits = "0123456789abcdef";
                for (const std::byte byte : variable_value(variables, piece.variable)) {
                    out[size++] = static_cast<std::byte>(digits[static_cast<std::size_t>(byte >> 4)]);
                    out[size++] = static_cast<std::byte>(digits[static_cast<std::size_t>(byte & std::byte{15})]);
                }
                break;
            }
            case Piece::Kind::number: {
                const std::uint64_t number = variable_number(variable_value(variables, piece.variable)) + piece.added;
                std::byte all[8];
                piece.big_endian ? store_be(all, number) : store_le(all, number);
                std::memcpy(&out[size], piece.big_endian ? all + 8 - piece.width : all, piece.width);
                size += piece.width;
                break;
            }
        }
    }
    return size;
}

}  // namespace ringpost::traffic
