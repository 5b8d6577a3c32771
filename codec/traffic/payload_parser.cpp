// Converts text to bytes, with zeros in place of fields of a fixed size, and a list of the fields. Reads from left to
// right without backtracking; the position of an error is the start of the offending element.

#include <algorithm>

#include "codec/traffic/payload.hpp"
#include "codec/traffic/payload_fields.hpp"

namespace ringpost::traffic {
namespace {

using Kind = PayloadError::Kind;

/// Returns -1 if `digit` is not a hex digit.
int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

/// Parses two hex digits at the front of `text`.
std::optional<std::byte> hex_byte(std::string_view text) {
    if (text.size() < 2) return std::nullopt;
    const int high = hex_digit(text[0]), low = hex_digit(text[1]);
    if (high < 0 || low < 0) return std::nullopt;
    return static_cast<std::byte>(high << 4 | low);
}

constexpr std::uint16_t hex_digits = 8, unix_digits = 10;
constexpr std::size_t choices_max = 1'024;

}  // namespace

/// Parses one payload.
class PayloadParser {
  public:
    explicit PayloadParser(std::string_view text) : text_(text) {}

    std::optional<PayloadError> run() {
        while (at_ < text_.size()) {
            const std::size_t start = at_;
            if (const auto error = step()) return PayloadError{*error, start};
            if (bytes_.size() > limits::datagram_bytes_max) return PayloadError{Kind::too_long, start};
        }
        return std::nullopt;
    }

    std::expected<void, PayloadError> add_to(Payload& payload) {
        for (Payload::Field& field : fields_)
            if (field.choices > 0) field.first_choice += static_cast<std::uint32_t>(payload.choices_.size());
        const Payload::Kept kept = payload.kept();
        for (const std::string_view choice : choices_) {
            payload.choices_.push_back(
                {static_cast<std::uint32_t>(payload.choice_bytes_.size()), static_cast<std::uint32_t>(choice.size())});
            const auto bytes = std::as_bytes(std::span(choice));
            payload.choice_bytes_.insert(payload.choice_bytes_.end(), bytes.begin(), bytes.end());
        }
        const auto added = payload.append(bytes_, fields_);
        if (!added) payload.restore(kept);
        return added;
    }

  private:
    std::optional<Kind> step() {
        const std::string_view rest = text_.substr(at_);
        if (rest[0] == '\\') return escape(rest.substr(1));
        if (rest[0] == '{' && !rest.starts_with("{{")) return field(rest);
        at_ += rest[0] == '{' ? 2 : 1;
        bytes_.push_back(static_cast<std::byte>(rest[0]));
        return std::nullopt;
    }

    std::optional<Kind> escape(std::string_view rest) {
        static constexpr std::string_view names = "\\nrt\"", values = "\\\n\r\t\"";
        if (rest.empty()) return Kind::bad_escape;
        if (const auto found = names.find(rest[0]); found != std::string_view::npos) {
            bytes_.push_back(static_cast<std::byte>(values[found]));
            at_ += 2;
            return std::nullopt;
        }
        const auto byte = rest[0] == 'x' ? hex_byte(rest.substr(1)) : std::nullopt;
        if (!byte) return Kind::bad_escape;
        bytes_.push_back(*byte);
        at_ += 4;
        return std::nullopt;
    }

    std::optional<Kind> field(std::string_view rest) {
        const std::size_t end = rest.find('}');
        if (end == std::string_view::npos) return Kind::open_brace;
        const std::string_view inside = rest.substr(1, end - 1);
        if (fields_.size() == limits::payload_fields_max) return Kind::too_many_fields;
        Payload::Field made{.offset = static_cast<std::uint16_t>(bytes_.size()),
                            .first_choice = static_cast<std::uint32_t>(fields_.size())};
        if (const auto error = read_field(inside, made)) return error;
        fields_.push_back(made);
        bytes_.resize(bytes_.size() + made.bytes);
        at_ += end + 1;
        return std::nullopt;
    }

    std::optional<Kind> read_field(std::string_view inside, Payload::Field& made) {
        if (inside == "seq") inside = "seq:dec";
        const std::size_t colon = inside.find(':');
        if (colon == std::string_view::npos) return Kind::unknown_field;
        const std::string_view name = inside.substr(0, colon), rest = inside.substr(colon + 1);
        if (name == "seq") return read_width(rest, Payload::Value::sequence, made);
        if (name == "time") return read_width(rest, Payload::Value::time, made);
        if (name == "random") return read_count(rest, made);
        return name == "pick" ? read_choices(rest, made) : std::optional(Kind::unknown_field);
    }

    static std::optional<Kind> read_width(std::string_view text, Payload::Value of, Payload::Field& field) {
        struct Width {
            std::string_view name;
            Payload::Value of, value;
            std::uint16_t bytes;
            bool big_endian = false;
        };
        using enum Payload::Value;
        static constexpr Width widths[] = {{"dec", sequence, decimal, 0},
                                           {"hex", sequence, hex, hex_digits},
                                           {"unix", time, unix_time, unix_digits},
                                           {"rfc3339", time, rfc3339, rfc3339_bytes}};
        static constexpr Width integers[] = {{"u8", sequence, sequence, 1},    {"u16be", sequence, sequence, 2, true},
                                             {"u16le", sequence, sequence, 2}, {"u32be", sequence, sequence, 4, true},
                                             {"u32le", sequence, sequence, 4}, {"u64be", sequence, sequence, 8, true},
                                             {"u64le", sequence, sequence, 8}};
        for (const Width& width : widths)
            if (width.name == text && width.of == of) {
                field.value = width.value;
                field.bytes = width.bytes;
                return std::nullopt;
            }
        for (const Width& width : integers)
            if (width.name == text) {
                field.value = of;
                field.bytes = width.bytes;
                field.big_endian = width.big_endian;
                return std::nullopt;
            }
        return Kind::bad_width;
    }

    std::optional<Kind> read_choices(std::string_view text, Payload::Field& field) {
        field.value = Payload::Value::pick;
        field.first_choice = static_cast<std::uint32_t>(choices_.size());
        std::size_t least = SIZE_MAX, most = 0;
        for (;;) {
            const std::size_t end = std::min(text.find('|'), text.size());
            choices_.push_back(text.substr(0, end));
            least = std::min(least, end);
            most = std::max(most, end);
            if (end == text.size()) break;
            text.remove_prefix(end + 1);
        }
        const std::size_t count = choices_.size() - field.first_choice;
        if (count < 2 || most == 0 || count > choices_max) return Kind::bad_pick;
        field.choices = static_cast<std::uint16_t>(count);
        field.bytes = static_cast<std::uint16_t>(least == most ? most : 0);
        return most > limits::datagram_bytes_max ? std::optional(Kind::too_long) : std::nullopt;
    }

    static std::optional<Kind> read_count(std::string_view text, Payload::Field& field) {
        if (text == "hex") {
            field.value = Payload::Value::random_hex;
            field.bytes = hex_digits;
            return std::nullopt;
        }
        std::size_t count = 0;
        for (const char digit : text) {
            if (digit < '0' || digit > '9') return Kind::bad_count;
            count = count * 10 + static_cast<std::size_t>(digit - '0');
            if (count > limits::datagram_bytes_max) return Kind::bad_count;
        }
        if (count == 0) return Kind::bad_count;
        field.value = Payload::Value::random;
        field.bytes = static_cast<std::uint16_t>(count);
        return std::nullopt;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<std::byte> bytes_;
    std::vector<Payload::Field> fields_;
    std::vector<std::string_view> choices_;
};

const char* describe(PayloadError::Kind kind) {
    switch (kind) {
        case Kind::empty: return "an empty payload";
        case Kind::bad_escape: return "\\ must be followed by xNN, \\, \", n, r or t";
        case Kind::open_brace: return "{ without a matching }; use {{ for a brace";
        case Kind::unknown_field: return "fields are {seq}, {seq:WIDTH}, {time:WIDTH}, {random:BYTES} and {pick:A|B}";
        case Kind::bad_width:
            return "widths are u8, u16be, u16le, u32be, u32le, u64be and u64le; dec and hex of seq; unix and "
                   "rfc3339 of time";
        case Kind::bad_count: return "{random:BYTES} makes 1 to 65507 bytes, {random:hex} 8 digits";
        case Kind::bad_pick: return "{pick:A|B} needs 2 to 1024 texts, not all of them empty";
        case Kind::bad_hex: return "expected two hex digits";
        case Kind::too_long: return "more than the 65507 bytes of a datagram";
        case Kind::too_many_fields: return "too many fields in one payload";
        case Kind::too_many: return "too many payloads";
    }
    return "";
}

std::expected<void, PayloadError> Payload::add_text(std::string_view text) {
    PayloadParser parser(text);
    if (const auto error = parser.run()) return std::unexpected(*error);
    return parser.add_to(*this);
}

std::expected<void, PayloadError> Payload::add_hex(std::string_view text) {
    std::vector<std::byte> bytes;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
            ++at;
            continue;
        }
        const auto byte = hex_byte(text.substr(at));
        if (!byte) return std::unexpected(PayloadError{Kind::bad_hex, at});
        if (bytes.size() == limits::datagram_bytes_max) return std::unexpected(PayloadError{Kind::too_long, at});
        bytes.push_back(*byte);
        at += 2;
    }
    return append(bytes, {});
}

}  // namespace ringpost::traffic
