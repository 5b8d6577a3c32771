// The input is a format up to the first zero byte, followed by a payload. A second parser, which implements only the
// rules, value by value and without runs, must accept or refuse the same formats and compute the same positions.
// Unpacking and packing the payload must yield the same bytes.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include <ringpost/structs/format.hpp>
#include <ringpost/structs/values.hpp>
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::structs_format {

using namespace ringpost::structs;

namespace {

struct Layout {
    bool good = true;
    std::size_t bytes = 0;
    std::vector<Slot> slots;
};

/// Size of a code, native and standard; 0 if it is not a code.
std::size_t size_of(char code, bool native) {
    const std::string codes = "bB?csxhHiIflLqQd";
    const char* sizes = native ? "1111112244488888" : "1111112244444888";
    const std::size_t at = codes.find(code);
    return code == '\0' || at == std::string::npos ? 0 : static_cast<std::size_t>(sizes[at] - '0');
}

Layout by_the_rules(const std::string& text) {
    Layout layout;
    std::size_t at = 0;
    const bool prefixed = !text.empty() && std::strchr("@=<>!", text[0]) != nullptr;
    const bool native = !prefixed || text[0] == '@';
    if (prefixed) at = 1;
    while (at < text.size()) {
        if (std::strchr(" \t\n\v\f\r", text[at]) != nullptr) {
            ++at;
            continue;
        }
        const std::size_t digits = std::min(text.find_first_not_of("0123456789", at), text.size()) - at;
        double count = digits == 0 ? 1 : std::stod(text.substr(at, digits));
        at += digits;
        const std::size_t size = at < text.size() ? size_of(text[at], native) : 0;
        while (native && size > 0 && layout.bytes % size != 0) ++layout.bytes;
        if (size == 0 || static_cast<double>(layout.bytes) + count * static_cast<double>(size) > 65'528) {
            layout.good = false;
            return layout;
        }
        const char code = text[at++];
        const auto once = static_cast<std::uint16_t>(code == 's' ? count : static_cast<double>(size));
        if (code == 's') count = 1;
        for (; count > 0; --count) {
            if (code != 'x') layout.slots.push_back({code, static_cast<std::uint16_t>(layout.bytes), once});
            layout.bytes += once;
        }
    }
    return layout;
}

std::size_t runs_of(const Layout& layout) {
    std::size_t runs = 0;
    for (std::size_t i = 0; i < layout.slots.size(); ++i) {
        const Slot& slot = layout.slots[i];
        const bool goes_on = i > 0 && slot.code != 's' && layout.slots[i - 1].code == slot.code &&
                             layout.slots[i - 1].offset + layout.slots[i - 1].bytes == slot.offset;
        runs += !goes_on;
    }
    return runs;
}

void check_round_trip(const Format& format, const Layout& layout, Bytes payload) {
    payload.resize(layout.bytes);
    Bytes expected(payload.size());
    for (const Slot& slot : layout.slots) {
        std::byte* at = payload.data() + slot.offset;
        if (slot.code == '?' && *at != std::byte{}) *at = std::byte{1};
        if (slot.code == 'f') at[1] = at[2] = std::byte{};  // a signalling NaN would be returned as a quiet one
        std::copy_n(at, slot.bytes, expected.begin() + slot.offset);
    }
    std::vector<Value> values;
    ValueReader reader(format, payload);
    while (const auto value = reader.next()) values.push_back(*value);
    RINGPOST_CHECK(values.size() == layout.slots.size());
    Bytes again(payload.size(), std::byte{0xee});
    RINGPOST_CHECK(pack(format, values, again) && again == expected);
    values.emplace_back(true);
    RINGPOST_CHECK(pack(format, values, again).error().kind == ValueError::Kind::too_many);
    values.resize(values.size() - std::min<std::size_t>(values.size(), 2));
    RINGPOST_CHECK(layout.slots.empty() || pack(format, values, again).error().kind == ValueError::Kind::too_few);
}

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 4'096);
    std::string text;
    while (!script.over()) {
        const char next = static_cast<char>(script.u8());
        if (next == '\0') break;
        text += next;
    }
    const Bytes rest = script.bytes(SIZE_MAX);
    const auto format = Format::parse(std::string_view(std::string(text)));
    const Layout layout = by_the_rules(text);
    if (!format) {
        const FormatError& error = format.error();
        RINGPOST_CHECK(error.position < text.size() && *describe(error.kind) != '\0');
        // The text before the error must be valid, unless it ends with the count of the invalid code.
        const auto before = Format::parse(std::string_view(text).substr(0, error.position));
        RINGPOST_CHECK(before || (error.kind == FormatError::Kind::bad_code &&
                                  before.error().kind == FormatError::Kind::count_without_code));
        if (error.kind == FormatError::Kind::too_many_runs)
            RINGPOST_CHECK(!layout.good || runs_of(layout) > limits::struct_runs_max);
        else
            RINGPOST_CHECK(!layout.good);
        return 0;
    }
    RINGPOST_CHECK(layout.good && format->bytes() == layout.bytes && format->values() == layout.slots.size());
    RINGPOST_CHECK(format->runs().size() == runs_of(layout));
    Format::Slots slots = format->slots();
    for (const Slot& slot : layout.slots) RINGPOST_CHECK(slots.next() == slot);
    RINGPOST_CHECK(!slots.next());
    check_round_trip(*format, layout, rest);
    return 0;
}

const Target registered("structs/format", run);

}  // namespace
}  // namespace ringpost::fuzz::structs_format
