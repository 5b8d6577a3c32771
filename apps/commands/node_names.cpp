#include "apps/commands/node_names.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "apps/cli/report.hpp"
#include "codec/devices/advert.hpp"

namespace ringpost::apps {
namespace {

/// Replaces \xNN by its byte.
std::string decoded_name(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        unsigned byte = 0;
        const bool escaped = text.size() >= 4 && text.starts_with("\\x") &&
                             std::from_chars(&text[2], &text[2] + 2, byte, 16).ptr == &text[2] + 2;
        out += escaped ? static_cast<char>(byte) : text[0];
        text.remove_prefix(escaped ? 4 : 1);
    }
    return out;
}

/// Takes a name off the front of `rest`: in quotes, or up to one of `ends`. Nothing if a quote is not closed.
std::optional<std::string> take_name(std::string_view& rest, const char* ends) {
    const bool quoted = rest.starts_with('"');
    if (quoted) rest.remove_prefix(1);
    const std::size_t end = quoted ? rest.find('"') : std::min(rest.find_first_of(ends), rest.size());
    if (end == std::string_view::npos) return std::nullopt;
    std::string name = decoded_name(rest.substr(0, end));
    rest.remove_prefix(end + (quoted ? 1 : 0));
    return name;
}

const char* reason_against(devices::NameError error) {
    switch (error) {
        case devices::NameError::empty: return "is empty";
        case devices::NameError::too_long: return "is longer than 248 bytes";
        case devices::NameError::not_utf8: return "is not UTF-8";
        case devices::NameError::has_mark: return "contains `:,:` or `/EOL`";
        case devices::NameError::reserved: return "is a frame of the protocol";
    }
    return "";
}
static_assert(limits::devices_name_bytes_max == 248);

}  // namespace

std::string shown_name(std::string_view name) {
    std::string text = printable(name);
    if (text.find_first_of(" ,\"") == std::string::npos && text != "*") return text;
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? std::string("\\x22") : std::string(1, c);
    return out + '"';
}

std::optional<Addressed> parse_addressed(std::string_view rest, Addressees addressees) {
    Addressed out;
    if (rest.starts_with("* ")) {
        out.all = true;
        rest.remove_prefix(1);
    }
    while (!out.all) {
        const auto name = take_name(rest, addressees == Addressees::list ? " ," : " ");
        if (!name) return std::nullopt;
        if (!name->empty()) out.names.push_back(*name);
        if (!rest.starts_with(',') || addressees == Addressees::one) break;
        rest.remove_prefix(1);
    }
    if (!rest.starts_with(' ')) return std::nullopt;
    out.text = rest.substr(1);
    return out;
}

std::string parse_device_name(const std::string& name) {
    const auto refuse = [](const char* why) { throw std::invalid_argument(why); };
    if (const auto error = devices::check_name(name)) refuse(reason_against(*error));
    if (name == "*") refuse("stands for all devices");
    if (name.find(' ') != std::string::npos) refuse("contains a space, which ends a name in commands");
    if (name.find(',') != std::string::npos) refuse("contains a comma, which separates names in commands");
    if (shown_name(name) != name) refuse("contains a control character, a quote or a backslash");
    return name;
}

}  // namespace ringpost::apps
