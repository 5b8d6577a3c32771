// Integers are stored as the low bytes of a 64-bit word: after the range check, two's complement makes signed and
// unsigned values alike.

#include <ringpost/structs/values.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"

namespace ringpost::structs {
namespace {

std::uint64_t load_word(const std::byte* at, std::size_t bytes, std::endian order) {
    const bool big = order == std::endian::big;
    switch (bytes) {
        case 1: return std::to_integer<std::uint64_t>(*at);
        case 2: return big ? load_be<std::uint16_t>(at) : load_le<std::uint16_t>(at);
        case 4: return big ? load_be<std::uint32_t>(at) : load_le<std::uint32_t>(at);
        default: return big ? load_be<std::uint64_t>(at) : load_le<std::uint64_t>(at);
    }
}

void store_word(std::byte* at, std::size_t bytes, std::endian order, std::uint64_t word) {
    for (std::size_t i = 0; i < bytes; ++i) {
        const std::size_t place = order == std::endian::big ? bytes - 1 - i : i;
        at[place] = static_cast<std::byte>(word >> 8 * i);
    }
}

/// Sign-extends the low `bytes` of a word.
std::int64_t sign_extended(std::uint64_t word, std::size_t bytes) {
    const std::size_t missing = 64 - 8 * bytes;
    return static_cast<std::int64_t>(word << missing) >> missing;
}

using Kind = ValueError::Kind;

std::optional<Kind> pack_integer(const Slot& slot, const Value& value, std::byte* at, std::endian order) {
    const IntegerRange range = range_of(slot);
    std::uint64_t word = 0;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        if (*number < range.min || (*number > 0 && static_cast<std::uint64_t>(*number) > range.max))
            return Kind::out_of_range;
        word = static_cast<std::uint64_t>(*number);
    } else if (const auto* large = std::get_if<std::uint64_t>(&value)) {
        if (*large > range.max) return Kind::out_of_range;
        word = *large;
    } else if (const auto* flag = std::get_if<bool>(&value)) {
        word = *flag ? 1 : 0;
    } else {
        return Kind::wrong_kind;
    }
    store_word(at, slot.bytes, order, word);
    return std::nullopt;
}

std::optional<Kind> pack_real(const Slot& slot, const Value& value, std::byte* at, std::endian order) {
    if (std::holds_alternative<std::string_view>(value)) return Kind::wrong_kind;
    const double number = std::visit(
        [](const auto& held) -> double {
            if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(held)>>)
                return static_cast<double>(held);
            else
                return 0;
        },
        value);
    if (slot.code == 'd') {
        store_word(at, 8, order, std::bit_cast<std::uint64_t>(number));
        return std::nullopt;
    }
    const auto narrow = static_cast<float>(number);
    if (std::isinf(narrow) && !std::isinf(number)) return Kind::out_of_range;
    store_word(at, 4, order, std::bit_cast<std::uint32_t>(narrow));
    return std::nullopt;
}

bool truth_of(const Value& value) {
    return std::visit(
        [](const auto& held) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(held)>, std::string_view>)
                return !held.empty();
            else
                return held != 0;
        },
        value);
}

std::optional<Kind> pack_one(const Slot& slot, const Value& value, std::byte* at, std::endian order) {
    switch (slot.code) {
        case 'f':
        case 'd': return pack_real(slot, value, at, order);
        case '?': *at = truth_of(value) ? std::byte{1} : std::byte{0}; return std::nullopt;
        case 'c':
        case 's': break;
        default: return pack_integer(slot, value, at, order);
    }
    const auto* text = std::get_if<std::string_view>(&value);
    if (text == nullptr) return Kind::wrong_kind;
    if (slot.code == 'c' && text->size() != 1) return Kind::out_of_range;
    const std::size_t bytes = std::min<std::size_t>(text->size(), slot.bytes);
    if (bytes > 0) std::memcpy(at, text->data(), bytes);
    if (bytes < slot.bytes) std::memset(at + bytes, 0, slot.bytes - bytes);
    return std::nullopt;
}

}  // namespace

ValueReader::ValueReader(const Format& format, std::span<const std::byte> payload)
    : slots_(format.slots()), order_(format.order()), payload_(payload) {
    RINGPOST_CHECK(payload.size() == format.bytes());
}

std::optional<Value> ValueReader::next() {
    const auto slot = slots_.next();
    if (!slot) return std::nullopt;
    const std::byte* at = payload_.data() + slot->offset;
    if (slot->code == 's' || slot->code == 'c') return std::string_view(reinterpret_cast<const char*>(at), slot->bytes);
    const std::uint64_t word = load_word(at, slot->bytes, order_);
    switch (slot->code) {
        case '?': return word != 0;
        case 'f': return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(word)));
        case 'd': return std::bit_cast<double>(word);
        default: break;
    }
    if (slot->is_signed()) return sign_extended(word, slot->bytes);
    return word;
}

std::expected<void, ValueError> pack(const Format& format, std::span<const Value> values, std::span<std::byte> out) {
    RINGPOST_CHECK(out.size() >= format.bytes());
    if (format.has_gaps()) std::memset(out.data(), 0, format.bytes());
    Format::Slots slots = format.slots();
    for (std::size_t index = 0;; ++index) {
        const auto slot = slots.next();
        if (!slot && index == values.size()) return {};
        if (!slot) return std::unexpected(ValueError{Kind::too_many, index, {}});
        if (index == values.size()) return std::unexpected(ValueError{Kind::too_few, index, *slot});
        if (const auto kind = pack_one(*slot, values[index], out.data() + slot->offset, format.order()))
            return std::unexpected(ValueError{*kind, index, *slot});
    }
}

IntegerRange range_of(const Slot& slot) {
    const std::uint64_t all = UINT64_MAX >> (64 - 8 * slot.bytes);
    if (!slot.is_signed()) return {0, all};
    const auto most = static_cast<std::int64_t>(all >> 1);
    return {-most - 1, all >> 1};
}

}  // namespace ringpost::structs
