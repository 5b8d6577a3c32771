#include "apps/measuring/expect_options.hpp"

#include <fmt/core.h>

#include <charconv>
#include <tuple>
#include <utility>

#include "codec/base/limits.hpp"
#include "codec/traffic/payload.hpp"

namespace ringpost::apps {
namespace {

/// The bytes of a text or of hex digits, as `added` to `payload`.
std::vector<std::byte> bytes_of(const traffic::Payload& payload,
                                const std::expected<void, traffic::PayloadError>& added) {
    if (!added) {
        if (added.error().kind == traffic::PayloadError::Kind::empty) throw std::invalid_argument("no bytes");
        throw std::invalid_argument(
            fmt::format("character {}: {}", added.error().position + 1, describe(added.error().kind)));
    }
    if (payload.has_fields()) throw std::invalid_argument("fields such as {seq:u8} are not possible here");
    std::vector<std::byte> bytes(payload.bytes_max());
    payload.write(bytes, {});
    return bytes;
}

std::size_t parse_bytes(std::string_view text, const char* form) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > limits::datagram_bytes_max)
        throw std::invalid_argument(form);
    return value;
}

traffic::Expectation::Part parse_part(const std::string& text) {
    constexpr const char* form = "expected HEX@OFFSET within 65507 bytes, such as 8180@2";
    const std::size_t at = text.find('@');
    if (at == std::string::npos) throw std::invalid_argument(form);
    traffic::Payload hex;
    const auto added = hex.add_hex(text.substr(0, at));
    traffic::Expectation::Part part{parse_bytes(text.substr(at + 1), form), bytes_of(hex, added)};
    if (part.offset + part.bytes.size() > limits::datagram_bytes_max) throw std::invalid_argument(form);
    return part;
}

std::vector<std::byte> parse_text(const std::string& text) {
    traffic::Payload payload;
    const auto added = payload.add_text(text);
    return bytes_of(payload, added);
}

std::pair<std::size_t, std::size_t> parse_sizes_expected(const std::string& text) {
    constexpr const char* form = "expected BYTES or MIN..MAX, up to 65507";
    const std::size_t dots = text.find("..");
    const std::size_t low = parse_bytes(text.substr(0, dots), form);
    const std::size_t high = dots == std::string::npos ? low : parse_bytes(text.substr(dots + 2), form);
    if (low > high) throw std::invalid_argument(form);
    return {low, high};
}

/// Adds an option each value of which is passed to `take`.
template <class Take>
CLI::Option* add_values(CLI::App& command, const std::string& name, const std::string& help, const Take& take) {
    const auto take_all = [name, take](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) {
            try {
                take(text);
            } catch (const std::invalid_argument& reason) {
                throw CLI::ValidationError(fmt::format("{}: {}", name, reason.what()));
            }
        }
    };
    return command.add_option_function<std::vector<std::string>>(name, take_all, help)->expected(1);
}

}  // namespace

std::vector<CLI::Option*> add_expectations(CLI::App& command, traffic::Expectation& expected) {
    auto* const part = add_values(command, "--expect",
                                  "bytes of a good reply as hex digits, at an offset: 8180@2; repeatable (default any)",
                                  [&](const std::string& text) { expected.parts.push_back(parse_part(text)); });
    auto* const text = add_values(command, "--expect-text",
                                  "text that a good reply contains, with \\xNN for bytes; repeatable (default any)",
                                  [&](const std::string& given) { expected.texts.push_back(parse_text(given)); });
    auto* const size =
        add_values(command, "--expect-size", "size of a good reply in bytes: 64 or 64..1400 (default any)",
                   [&](const std::string& given) {
                       std::tie(expected.size_min, expected.size_max) = parse_sizes_expected(given);
                   });
    return {part->take_all()->type_name("HEX@OFFSET"), text->take_all()->type_name("TEXT"), size->type_name("BYTES")};
}

void check_expectation(const traffic::Expectation& expected) {
    const auto must_fit = [&](std::size_t bytes, const char* name) {
        if (bytes > expected.size_max)
            throw CLI::ValidationError(
                fmt::format("{}: byte {} lies outside the {} of --expect-size", name, bytes - 1, expected.size_max));
    };
    for (const auto& part : expected.parts) must_fit(part.offset + part.bytes.size(), "--expect");
    for (const auto& text : expected.texts) must_fit(text.size(), "--expect-text");
}

}  // namespace ringpost::apps
