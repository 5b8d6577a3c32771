// The parser converts text to bytes, with zeros in place of fields, and a list of those fields. It reads from left to
// right without backtracking; the position of an error is the start of the offending element.

#include "codec/traffic/payload.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"

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

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
std::uint64_t mixed(std::uint64_t value) {
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

void write_random(std::span<std::byte> out, std::uint64_t state) {
    constexpr std::uint64_t step = 0x9e3779b97f4a7c15;
    for (; !out.empty(); out = out.subspan(std::min<std::size_t>(8, out.size()))) {
        const std::uint64_t word = mixed(state += step);
        std::memcpy(out.data(), &word, std::min<std::size_t>(8, out.size()));
    }
}

/// Writes the lowest `count` bytes of `value`, at most 8.
void write_integer(std::byte* out, std::size_t count, bool big_endian, std::uint64_t value) {
    std::byte all[8];
    if (big_endian) {
        store_be(all, value);
        std::memcpy(out, all + 8 - count, count);
    } else {
        store_le(all, value);
        std::memcpy(out, all, count);
    }
}

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

    std::span<const std::byte> bytes() const { return bytes_; }
    std::span<const Payload::Field> fields() const { return fields_; }

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
        static constexpr std::string_view names = "\\nrt", values = "\\\n\r\t";
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
        const std::size_t colon = std::min(inside.find(':'), inside.size());
        const std::string_view name = inside.substr(0, colon);
        if (colon == inside.size() || (name != "seq" && name != "time" && name != "random")) return Kind::unknown_field;
        if (fields_.size() == limits::payload_fields_max) return Kind::too_many_fields;
        Payload::Field made{.offset = static_cast<std::uint16_t>(bytes_.size())};
        made.value = name == "seq"    ? Payload::Value::sequence
                     : name == "time" ? Payload::Value::time
                                      : Payload::Value::random;
        const std::string_view width = inside.substr(colon + 1);
        if (const auto error = made.value == Payload::Value::random ? read_count(width, made) : read_width(width, made))
            return error;
        fields_.push_back(made);
        bytes_.resize(bytes_.size() + made.bytes);
        at_ += end + 1;
        return std::nullopt;
    }

    static std::optional<Kind> read_width(std::string_view text, Payload::Field& field) {
        struct Width {
            std::string_view name;
            std::uint16_t bytes;
            bool big_endian;
        };
        static constexpr Width widths[] = {{"u8", 1, false},   {"u16be", 2, true},  {"u16le", 2, false},
                                           {"u32be", 4, true}, {"u32le", 4, false}, {"u64be", 8, true},
                                           {"u64le", 8, false}};
        for (const Width& width : widths)
            if (width.name == text) {
                field.bytes = width.bytes;
                field.big_endian = width.big_endian;
                return std::nullopt;
            }
        return Kind::bad_width;
    }

    static std::optional<Kind> read_count(std::string_view text, Payload::Field& field) {
        std::size_t count = 0;
        for (const char digit : text) {
            if (digit < '0' || digit > '9') return Kind::bad_count;
            count = count * 10 + static_cast<std::size_t>(digit - '0');
            if (count > limits::datagram_bytes_max) return Kind::bad_count;
        }
        if (count == 0) return Kind::bad_count;
        field.bytes = static_cast<std::uint16_t>(count);
        return std::nullopt;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<std::byte> bytes_;
    std::vector<Payload::Field> fields_;
};

const char* describe(PayloadError::Kind kind) {
    switch (kind) {
        case Kind::empty: return "an empty payload";
        case Kind::bad_escape: return "\\ must be followed by xNN, \\, n, r or t";
        case Kind::open_brace: return "{ without a matching }; use {{ for a brace";
        case Kind::unknown_field: return "fields are {seq:WIDTH}, {time:WIDTH} and {random:BYTES}";
        case Kind::bad_width: return "widths are u8, u16be, u16le, u32be, u32le, u64be and u64le";
        case Kind::bad_count: return "{random:BYTES} makes 1 to 65507 bytes";
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
    return append(parser.bytes(), parser.fields());
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

std::expected<void, PayloadError> Payload::add_bytes(std::span<const std::byte> bytes) { return append(bytes, {}); }

std::expected<void, PayloadError> Payload::append(std::span<const std::byte> bytes, std::span<const Field> fields) {
    if (bytes.empty()) return std::unexpected(PayloadError{Kind::empty, 0});
    if (bytes.size() > limits::datagram_bytes_max) return std::unexpected(PayloadError{Kind::too_long, 0});
    if (items_.size() == limits::payloads_max || bytes.size() > limits::payloads_bytes_max - image_.size())
        return std::unexpected(PayloadError{Kind::too_many, 0});
    items_.push_back({.image_offset = static_cast<std::uint32_t>(image_.size()),
                      .first_field = static_cast<std::uint32_t>(fields_.size()),
                      .bytes = static_cast<std::uint16_t>(bytes.size()),
                      .fields = static_cast<std::uint16_t>(fields.size())});
    image_.insert(image_.end(), bytes.begin(), bytes.end());
    fields_.insert(fields_.end(), fields.begin(), fields.end());
    bytes_min_ = items_.size() == 1 ? bytes.size() : std::min(bytes_min_, bytes.size());
    bytes_max_ = std::max(bytes_max_, bytes.size());
    return {};
}

std::size_t Payload::write(std::span<std::byte> out, std::uint64_t sequence, std::uint64_t in_flow, Instant due,
                           std::uint64_t seed) const {
    RINGPOST_CHECK(!items_.empty() && out.size() >= bytes_max_);
    const Item& item = items_[sequence % items_.size()];
    std::memcpy(out.data(), &image_[item.image_offset], item.bytes);
    for (const Field& field : std::span(fields_).subspan(item.first_field, item.fields)) {
        std::byte* const at = &out[field.offset];
        switch (field.value) {
            case Value::sequence: write_integer(at, field.bytes, field.big_endian, in_flow); break;
            case Value::time: write_integer(at, field.bytes, field.big_endian, static_cast<std::uint64_t>(due)); break;
            case Value::random:
                write_random(out.subspan(field.offset, field.bytes), mixed(mixed(seed) + sequence) + field.offset);
                break;
        }
    }
    return item.bytes;
}

std::uint64_t Payload::distinct(std::size_t offset, std::size_t count) const {
    std::uint64_t smallest = UINT64_MAX;
    for (const Item& item : items_) {
        std::size_t most = 0;
        for (const Field& field : std::span(fields_).subspan(item.first_field, item.fields)) {
            const std::size_t from = std::max<std::size_t>(field.offset, offset);
            const std::size_t to = std::min<std::size_t>(field.offset + field.bytes, offset + count);
            if (from >= to || field.value == Value::time) continue;
            // The low bytes of a number are the ones that change from probe to probe.
            const bool low = field.big_endian ? to == field.offset + field.bytes : from == field.offset;
            if (field.value == Value::random || low) most = std::max(most, to - from);
        }
        smallest = std::min(smallest, most >= 8 ? std::uint64_t{1} << 63 : std::uint64_t{1} << 8 * most);
    }
    return smallest;
}

}  // namespace ringpost::traffic
