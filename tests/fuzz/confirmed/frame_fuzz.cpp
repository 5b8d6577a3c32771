// Decodes the input as it is, and as the message of a frame. A decoded value must be equal to what nlohmann-json parses
// to a tree, and must survive encoding. Input that only nlohmann-json accepts must violate one of our stricter rules.

#include <nlohmann/json.hpp>

#include "codec/base/utf8.hpp"
#include "codec/confirmed/frame.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::confirmed_frame {

using namespace ringpost::confirmed;
using Json = nlohmann::json;

namespace {

void check_frame(const Frame& frame, const Json& tree) {
    RINGPOST_CHECK(tree.is_object() && tree.size() == 2);
    RINGPOST_CHECK(tree.at("message") == Json::parse(frame.message.json()));
    RINGPOST_CHECK(frame.message.is_text() == tree.at("message").is_string());
    const Json& status = tree.at("status");
    RINGPOST_CHECK(frame.status == Status::none ? status.is_null()
                                                : status.get<bool>() == (frame.status == Status::ok));
    const std::string again = encode(frame);
    RINGPOST_CHECK(is_utf8(again));
    const auto decoded = decode(std::as_bytes(std::span(again)));
    RINGPOST_CHECK(decoded && *decoded == frame);
    const auto value = Value::of_json(frame.message.json());
    RINGPOST_CHECK(value && *value == frame.message);
}

void check(std::string_view text) {
    const Bytes bytes(reinterpret_cast<const std::byte*>(text.data()),
                      reinterpret_cast<const std::byte*>(text.data()) + text.size());
    const auto frame = decode(bytes);
    const Json tree = Json::parse(text, nullptr, false);
    if (frame) return check_frame(*frame, tree);
    RINGPOST_CHECK((frame.error() == FrameError::not_utf8) == !is_utf8(text));
    // Whether a rule was violated that nlohmann-json does not have: it skips a byte order mark, stops at a NUL, and
    // keeps the last of two members with the same name.
    if (tree.is_discarded() || text.starts_with("\xef\xbb\xbf") || text.find('\0') != std::string_view::npos) return;
    switch (frame.error()) {
        case FrameError::not_an_object: RINGPOST_CHECK(!tree.is_object()); break;
        case FrameError::missing_member: RINGPOST_CHECK(!tree.contains("message") || !tree.contains("status")); break;
        case FrameError::unknown_member:
            RINGPOST_CHECK(tree.size() > tree.contains("message") + tree.contains("status"));
            break;
        case FrameError::wrong_status:
        case FrameError::too_deep:
        case FrameError::duplicate_member: break;
        default: RINGPOST_CHECK(false);  // nlohmann-json accepts only UTF-8 and JSON without trailing bytes
    }
}

int run(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check(text);
    check(R"({"message":)" + std::string(text) + R"(,"status":false})");
    if (const auto value = Value::of_text(text)) {
        RINGPOST_CHECK(value->text() == text);
        check(encode({*value, Status::ok}));
    }
    return 0;
}

const Target registered("confirmed/frame", run);

}  // namespace
}  // namespace ringpost::fuzz::confirmed_frame
