// Parsing: nlohmann-json's SAX parser calls the FrameReader for each token and stops when a callback returns false; no
// tree is built. The reader keeps one level per open object or array. At the first level, the frame, it extracts the
// two members. Everything deeper is part of the message and is written out again in its shortest form.
//
// Two properties of the parser are handled before it is called: it treats a NUL as the end of the input, and it skips a
// byte order mark.

#include "codec/confirmed/frame.hpp"

#include <charconv>
#include <set>
#include <vector>

#include "codec/base/limits.hpp"
#include "codec/base/utf8.hpp"

// The codec is compiled without exceptions, but programs that use nlohmann-json may not be. Without a separate
// namespace the linker could give such a program the instantiations that abort instead of throwing.
#define NLOHMANN_JSON_NAMESPACE nlohmann::without_exceptions
#define NLOHMANN_JSON_NAMESPACE_BEGIN \
    namespace nlohmann {              \
    inline namespace without_exceptions {
#define NLOHMANN_JSON_NAMESPACE_END \
    }                               \
    }
#include <nlohmann/json.hpp>

namespace ringpost::confirmed {
namespace {

/// Only called for bytes that RFC 8259 requires to be escaped.
void append_escape(std::string& out, unsigned char byte) {
    constexpr const char* digits = "0123456789abcdef";
    switch (byte) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\b': out += "\\b"; break;
        case '\f': out += "\\f"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default: out.append("\\u00").append({digits[byte >> 4], digits[byte & 15]});
    }
}

/// Appends `text` as a JSON string, copying runs without escapes at once.
void append_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t run = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
        out.append(text, run, i - run);
        append_escape(out, byte);
        run = i + 1;
    }
    out.append(text, run);
    out += '"';
}

}  // namespace

/// The SAX handler. All callbacks except parse_error() return whether to continue.
class FrameReader {
  public:
    std::expected<Frame, FrameError> read(std::string_view text) {
        if (!is_utf8(text)) return std::unexpected(FrameError::not_utf8);
        if (text.starts_with("\xef\xbb\xbf")) return std::unexpected(FrameError::not_json);
        const std::size_t nul = text.find('\0');
        const std::string_view before = text.substr(0, nul);
        if (!nlohmann::json::sax_parse(before.begin(), before.end(), this)) return std::unexpected(error_);
        if (nul != std::string_view::npos) return std::unexpected(FrameError::trailing_bytes);
        if (!has_message_ || !status_) return std::unexpected(FrameError::missing_member);
        return Frame{std::move(message_), *status_};
    }

    bool null() { return member_ == Member::status ? take_status(Status::none) : literal("null"); }
    bool boolean(bool value) {
        if (member_ == Member::status) return take_status(value ? Status::ok : Status::failed);
        return literal(value ? "true" : "false");
    }
    bool number_integer(std::int64_t value) { return number(value); }
    bool number_unsigned(std::uint64_t value) { return number(value); }
    /// Kept as written: a double may hold fewer digits.
    bool number_float(double, const std::string& written) { return literal(written); }
    bool string(std::string& value) {
        if (levels_.size() != 1 || member_ != Member::message) return begin_value() && (append(value), true);
        message_.text_ = std::move(value);
        member_ = Member::none;
        return true;
    }
    bool binary(std::vector<std::uint8_t>&) { return fail(FrameError::not_json); }  // does not occur in JSON

    bool start_object(std::size_t) { return open('{'); }
    bool start_array(std::size_t) { return open('['); }
    bool end_object() { return close('}'); }
    bool end_array() { return close(']'); }

    bool key(std::string& name) {
        if (levels_.size() == 1) return frame_key(name);
        Level& level = levels_.back();
        if (!level.first) message_.text_ += ',';
        level.first = true;  // no comma before its value
        append(name);
        message_.text_ += ':';
        return level.names.insert(std::move(name)).second || fail(FrameError::duplicate_member);
    }

    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) {
        // If the frame has been closed, the error is behind it.
        return fail(closed_ ? FrameError::trailing_bytes : FrameError::not_json);
    }

  private:
    enum class Member : std::uint8_t { none, message, status };
    struct Level {
        std::set<std::string> names;
        bool first = true;  ///< the next value needs no comma
    };

    bool fail(FrameError error) {
        error_ = error;
        return false;
    }

    bool frame_key(const std::string& name) {
        if (name == "message") {
            if (has_message_) return fail(FrameError::duplicate_member);
            has_message_ = true;
            member_ = Member::message;
            return true;
        }
        if (name != "status") return fail(FrameError::unknown_member);
        if (status_) return fail(FrameError::duplicate_member);
        member_ = Member::status;
        return true;
    }

    bool take_status(Status status) {
        status_ = status;
        member_ = Member::none;
        return true;
    }

    /// Handles the start of a value other than the status or a message that is a string.
    bool begin_value() {
        if (levels_.empty()) return fail(FrameError::not_an_object);
        if (member_ == Member::status) return fail(FrameError::wrong_status);
        if (levels_.size() == 1) {
            message_.is_text_ = false;
            member_ = Member::none;
            return true;
        }
        if (!levels_.back().first) message_.text_ += ',';
        levels_.back().first = false;
        return true;
    }

    bool literal(std::string_view text) {
        if (!begin_value()) return false;
        message_.text_ += text;
        return true;
    }
    template <class Integer>
    bool number(Integer value) {
        std::array<char, 20> digits;
        return literal({digits.data(), std::to_chars(digits.begin(), digits.end(), value).ptr});
    }
    void append(std::string_view text) { append_string(message_.text_, text); }

    bool open(char bracket) {
        if (levels_.empty() && bracket == '[') return fail(FrameError::not_an_object);
        if (!levels_.empty()) {
            if (!begin_value()) return false;
            if (levels_.size() == limits::confirmed_depth_max) return fail(FrameError::too_deep);
            message_.text_ += bracket;
        }
        levels_.emplace_back();
        return true;
    }
    bool close(char bracket) {
        levels_.pop_back();
        closed_ = levels_.empty();
        if (!closed_) message_.text_ += bracket;
        return true;
    }

    std::vector<Level> levels_;  ///< the open objects and arrays
    Member member_ = Member::none;
    Value message_;
    bool has_message_ = false;
    std::optional<Status> status_;
    bool closed_ = false;
    FrameError error_ = FrameError::not_json;
};

std::optional<Value> Value::of_text(std::string_view text) {
    if (!is_utf8(text)) return std::nullopt;
    Value value;
    value.text_ = text;
    return value;
}

std::expected<Value, FrameError> Value::of_json(std::string_view json) {
    // Parsed inside a frame, which it cannot break out of: another member would be a duplicate or unknown.
    auto frame = FrameReader().read(std::string(R"({"message":)").append(json).append(R"(,"status":null})"));
    if (!frame) return std::unexpected(frame.error());
    return std::move(frame->message);
}

std::string Value::json() const {
    if (!is_text_) return text_;
    std::string out;
    append_string(out, text_);
    return out;
}

std::expected<Frame, FrameError> decode(std::span<const std::byte> bytes) {
    return FrameReader().read({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string encode(const Frame& frame) {
    std::string out;
    out.reserve(frame.message.text().size() + 32);
    out += R"({"message":)";
    if (frame.message.is_text())
        append_string(out, frame.message.text());
    else
        out += frame.message.text();
    out += R"(,"status":)";
    out += frame.status == Status::none ? "null" : frame.status == Status::ok ? "true" : "false";
    out += '}';
    return out;
}

const char* name_of(FrameError error) {
    switch (error) {
        case FrameError::not_utf8: return "not UTF-8";
        case FrameError::not_json: return "not JSON";
        case FrameError::trailing_bytes: return "trailing bytes";
        case FrameError::not_an_object: return "not an object";
        case FrameError::too_deep: return "too deep";
        case FrameError::duplicate_member: return "a member twice";
        case FrameError::unknown_member: return "an unknown member";
        case FrameError::missing_member: return "a member missing";
        case FrameError::wrong_status: return "status neither null, true nor false";
    }
    return "";
}

}  // namespace ringpost::confirmed
