// Terminators and separators are found by searching for their first byte with memchr. That byte is rare in ordinary
// text, and memchr examines many bytes at once.

#include "codec/devices/frame.hpp"

#include <charconv>
#include <cstring>
#include <memory>

#include "codec/base/check.hpp"
#include "codec/base/utf8.hpp"

namespace ringpost::devices {
namespace {

constexpr std::string_view message_head = "MeSsAgE:,:", question_head = "QuEsTiOn:,:", answer_head = "AnSwEr:,:";
constexpr std::size_t digits_max = 20;  // decimal digits of 2^64 - 1

/// Position of `mark` in `text` at or after `from`; text.size() if there is none.
std::size_t find(std::string_view text, std::string_view mark, std::size_t from = 0) {
    while (text.size() - from >= mark.size()) {
        const void* hit = std::memchr(&text[from], mark[0], text.size() - from - (mark.size() - 1));
        if (hit == nullptr) break;
        from = static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
        if (std::memcmp(&text[from], mark.data(), mark.size()) == 0) return from;
        ++from;
    }
    return text.size();
}

bool contains(std::string_view text, std::string_view mark) { return find(text, mark) < text.size(); }

std::expected<Frame, FrameError> with_text(FrameKind kind, std::uint64_t key, std::string_view text) {
    if (!is_utf8(text)) return std::unexpected(FrameError::not_utf8);
    if (contains(text, separator)) return std::unexpected(FrameError::text);
    return Frame{kind, key, text};
}

std::expected<Frame, FrameError> with_key(FrameKind kind, std::string_view fields) {
    const std::size_t digits = find(fields, separator);
    if (digits == fields.size() || digits == 0 || (fields[0] == '0' && digits > 1))
        return std::unexpected(FrameError::key);
    std::uint64_t key = 0;
    const char* const end = &fields[digits];
    const auto parsed = std::from_chars(std::to_address(fields.begin()), end, key);
    if (parsed.ec != std::errc() || parsed.ptr != end) return std::unexpected(FrameError::key);
    return with_text(kind, key, fields.substr(digits + separator.size()));
}

std::string_view head_of(FrameKind kind) {
    switch (kind) {
        case FrameKind::name: return {};
        case FrameKind::message: return message_head;
        case FrameKind::question: return question_head;
        case FrameKind::answer: return answer_head;
        case FrameKind::ping: return ping_word;
        case FrameKind::quit: return quit_word;
    }
    return {};
}

bool has_key(FrameKind kind) { return kind == FrameKind::question || kind == FrameKind::answer; }

std::byte* put(std::byte* at, std::string_view text) {
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    return at + text.size();
}

std::size_t digits_of(std::uint64_t key) {
    std::size_t digits = 1;
    for (; key >= 10; key /= 10) ++digits;
    return digits;
}

}  // namespace

bool can_carry(std::string_view text) {
    return !contains(text, terminator) && !contains(text, separator) && is_utf8(text);
}

std::expected<Frame, FrameError> decode_name(std::string_view text) {
    if (check_name(text)) return std::unexpected(FrameError::name);
    return Frame{FrameKind::name, 0, text};
}

std::expected<Frame, FrameError> decode_frame(std::string_view text) {
    if (text.starts_with(message_head)) return with_text(FrameKind::message, 0, text.substr(message_head.size()));
    if (text.starts_with(question_head)) return with_key(FrameKind::question, text.substr(question_head.size()));
    if (text.starts_with(answer_head)) return with_key(FrameKind::answer, text.substr(answer_head.size()));
    if (text == ping_word) return Frame{FrameKind::ping, 0, {}};
    if (text == quit_word) return Frame{FrameKind::quit, 0, {}};
    return std::unexpected(FrameError::tag);
}

std::size_t frame_bytes(const Frame& frame) {
    const std::size_t key_bytes = has_key(frame.kind) ? digits_of(frame.key) + separator.size() : 0;
    return head_of(frame.kind).size() + key_bytes + frame.text.size() + terminator.size();
}

std::size_t encode_frame(const Frame& frame, std::span<std::byte> out) {
    std::byte* at = put(out.data(), head_of(frame.kind));
    if (has_key(frame.kind)) {
        char digits[digits_max];
        const char* end = std::to_chars(digits, digits + digits_max, frame.key).ptr;
        at = put(at, {digits, static_cast<std::size_t>(end - digits)});
        at = put(at, separator);
    }
    at = put(at, frame.text);
    at = put(at, terminator);
    const auto bytes = static_cast<std::size_t>(at - out.data());
    RINGPOST_CHECK(bytes <= out.size());
    return bytes;
}

bool Splitter::find() {
    const std::string_view text = queue_.text();
    const std::size_t at = devices::find(text, terminator, searched_);
    if (at == text.size()) {
        // The last three bytes may be the start of a terminator.
        searched_ = std::max(searched_, text.size() - std::min(text.size(), terminator.size() - 1));
        return false;
    }
    front_bytes_ = at;
    searched_ = 0;  // pop() removes the bytes searched so far
    return true;
}

}  // namespace ringpost::devices
