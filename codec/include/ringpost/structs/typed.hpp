#pragma once

// Packs and unpacks struct messages from and to C++ values, without a library and without allocation:
//
//     struct Reading { std::uint8_t kind; std::uint16_t sensor; std::uint32_t count; std::uint64_t at; };
//     using ReadingMessage = structs::Message<1, "<BHIQ">;
//     auto packet = ReadingMessage::encode(Reading{...});                     // std::array<std::byte, 22>
//     std::optional<Reading> reading = ReadingMessage::decode<Reading>(found);  // a packet found by a Scanner
//
// The C++ type of a value must match its code exactly. All checks happen at compile time:
//
//     b B h H i I l L q Q   an integer of the code's size and signedness       ?   bool
//     f d                   float, double                                      c   char or std::byte
//     Ns                    std::array<char, N> or of std::byte; std::string_view, which is truncated or zero-padded
//                           when packed, as in Python, and is a view of the payload when unpacked
//
// Several values are passed as a std::tuple, a std::pair, an aggregate of at most limits::struct_members_max members,
// or separate arguments. A std::array<T, N> of any other T is N values. C arrays and base classes are not supported.

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <ringpost/byte_order.hpp>
#include <ringpost/structs/format.hpp>
#include <ringpost/structs/frame.hpp>
#include <ringpost/structs/members.hpp>

namespace ringpost::structs {

/// A format as a template argument: pack<"<BHIQ">(...).
template <std::size_t Size>
struct Literal {
    char text[Size]{};
    consteval Literal(const char (&from)[Size]) { std::copy_n(from, Size, text); }  // NOLINT: only made from literals
    constexpr std::string_view view() const { return {text, Size - 1}; }
};

namespace detail {

/// Ends the process if a caller's buffer is too small.
inline void require(bool large_enough) {
    if (!large_enough) std::abort();
}

template <Literal Text>
consteval Format parsed() {
    constexpr auto format = Format::parse(Text.view());
    static_assert(format.has_value(), "structs: this literal is not a format (<ringpost/structs/format.hpp>)");
    return *format;
}

/// The compile-time properties of a literal format.
template <Literal Text>
struct Layout {
    static constexpr Format format = parsed<Text>();
    static constexpr auto slots = [] {
        std::array<Slot, format.values()> out{};
        Format::Slots walk(format);
        for (Slot& slot : out) slot = *walk.next();
        return out;
    }();
};

template <class T>
inline constexpr std::size_t array_size = 0;
template <class T, std::size_t Size>
inline constexpr std::size_t array_size<std::array<T, Size>> = Size;

template <class T>
concept ByteLike = std::same_as<T, char> || std::same_as<T, std::byte>;

template <class T>
concept ByteArray = array_size<T> > 0 && ByteLike<typename T::value_type>;

/// Whether the C++ type matches the code of a value.
template <class T>
constexpr bool fits(const Slot& slot) {
    if constexpr (std::same_as<T, bool>) return slot.code == '?';
    if constexpr (ByteLike<T>) return slot.code == 'c';
    if constexpr (std::same_as<T, float>) return slot.code == 'f';
    if constexpr (std::same_as<T, double>) return slot.code == 'd';
    if constexpr (std::same_as<T, std::string_view>) return slot.code == 's';
    if constexpr (ByteArray<T>) return slot.code == 's' && slot.bytes == sizeof(T);
    if constexpr (std::integral<T> && !std::same_as<T, bool> && !ByteLike<T>)
        return slot.is_integer() && slot.bytes == sizeof(T) && slot.is_signed() == std::signed_integral<T>;
    return false;
}

/// Number of values that a C++ member holds, the first of them at `slot`.
template <class T>
constexpr std::size_t width(const Slot& slot) {
    return array_size<T> > 0 && slot.code != 's' ? array_size<T> : 1;
}

template <std::size_t Bytes>
using Word = std::conditional_t<
    Bytes == 1, std::uint8_t,
    std::conditional_t<Bytes == 2, std::uint16_t, std::conditional_t<Bytes == 4, std::uint32_t, std::uint64_t>>>;

/// Stores `value`, whose type must match the slot, in the payload at `base`. Returns a word whose bytes have the same
/// XOR as the stored bytes: computing the checksum from the values avoids reading back what was just written in pieces,
/// which is slow.
template <class T>
std::uint64_t store(std::byte* base, const Slot& slot, std::endian order, const T& value) {
    std::byte* const at = base + slot.offset;
    if constexpr (std::same_as<T, std::string_view>) {
        const std::size_t bytes = std::min<std::size_t>(value.size(), slot.bytes);
        if (bytes > 0) std::memcpy(at, value.data(), bytes);
        if (bytes < slot.bytes) std::memset(at + bytes, 0, slot.bytes - bytes);
        return std::to_integer<std::uint64_t>(xor_of(std::as_bytes(std::span(value.data(), bytes))));
    } else if constexpr (ByteArray<T>) {
        std::memcpy(at, value.data(), sizeof(T));
        return std::to_integer<std::uint64_t>(xor_of(std::as_bytes(std::span(value))));
    } else if constexpr (array_size<T> == 0) {
        const auto word = std::bit_cast<Word<sizeof(T)>>(value);
        order == std::endian::big ? store_be(at, word) : store_le(at, word);
        return word;
    } else {
        return 0;  // unreachable: other arrays are several values
    }
}

/// Loads a value from the payload at `base`.
template <class T>
void load(const std::byte* base, const Slot& slot, std::endian order, T& value) {
    const std::byte* const at = base + slot.offset;
    if constexpr (std::same_as<T, std::string_view>) {
        value = {reinterpret_cast<const char*>(at), slot.bytes};
    } else if constexpr (ByteArray<T>) {
        std::memcpy(value.data(), at, sizeof(T));
    } else if constexpr (std::same_as<T, bool>) {
        value = *at != std::byte{};
    } else if constexpr (array_size<T> == 0) {
        using W = Word<sizeof(T)>;
        value = std::bit_cast<T>(order == std::endian::big ? load_be<W>(at) : load_le<W>(at));
    }
}

/// Fails to compile, naming code and type, if they do not match.
template <char Code, std::size_t Bytes, class Type, std::size_t Value>
struct Checked {
    static_assert(fits<Type>(Slot{Code, 0, Bytes}), "structs: the C++ type of this value is not that of its code");
    static constexpr bool good = true;
};

/// Calls each(slot, element) for the elements of `members` from Member on and the values of the format from Value on.
template <Literal Text, std::size_t Member = 0, std::size_t Value = 0, class Members, class Each>
constexpr void for_each_value(const Members& members, const Each& each) {
    constexpr auto& slots = Layout<Text>::slots;
    if constexpr (Member == std::tuple_size_v<Members>) {
        static_assert(Value == slots.size(), "structs: the format has more values than are given");
    } else {
        using T = std::remove_cvref_t<std::tuple_element_t<Member, Members>>;
        static_assert(Value < slots.size(), "structs: the format has fewer values than are given");
        constexpr Slot first = slots[Value];
        constexpr std::size_t count = width<T>(first);
        static_assert(Value + count <= slots.size(), "structs: the format has fewer values than this array");
        auto& member = std::get<Member>(members);
        if constexpr (count == 1 && (array_size<T> == 0 || first.code == 's')) {
            static_assert(Checked<first.code, first.bytes, T, Value>::good);
            each(std::integral_constant<std::size_t, Value>{}, member);
        } else {
            [&]<std::size_t... I>(std::index_sequence<I...>) {
                static_assert(
                    (Checked<slots[Value + I].code, slots[Value + I].bytes, typename T::value_type, Value + I>::good &&
                     ...));
                (each(std::integral_constant<std::size_t, Value + I>{}, member[I]), ...);
            }(std::make_index_sequence<count>{});
        }
        for_each_value<Text, Member + 1, Value + count>(members, each);
    }
}

template <class T>
concept TupleLike = requires { std::tuple_size<T>::value; } && array_size<T> == 0;

/// A tuple or an aggregate whose members are the values.
template <class T>
concept Several = TupleLike<T> || (std::is_aggregate_v<T> && array_size<T> == 0 && std::is_class_v<T>);

template <class T>
constexpr auto references_to(T& value) {
    if constexpr (TupleLike<std::remove_const_t<T>>)
        return std::apply([](auto&... each) { return std::tie(each...); }, value);
    else if constexpr (Several<std::remove_const_t<T>>)
        return members_of(value);
    else
        return std::tie(value);
}

}  // namespace detail

/// Payload size of this format, as Python's struct.calcsize.
template <Literal Text>
inline constexpr std::size_t packed_bytes = detail::Layout<Text>::format.bytes();

/// Writes the payload to the front of `out`, which must hold packed_bytes<Text> bytes. Returns the XOR of its bytes.
template <Literal Text, class... T>
std::byte pack_into(std::span<std::byte> out, const T&... values) {
    detail::require(out.size() >= packed_bytes<Text>);
    std::byte* const base = out.data();
    if constexpr (detail::Layout<Text>::format.has_gaps()) std::memset(base, 0, packed_bytes<Text>);
    std::uint64_t check = 0;
    const auto each = [base, &check](auto value, const auto& member) {
        constexpr Slot slot = detail::Layout<Text>::slots[value];
        check ^= detail::store(base, slot, detail::Layout<Text>::format.order(), member);
    };
    if constexpr (sizeof...(T) == 1)
        detail::for_each_value<Text>(detail::references_to(values...), each);
    else
        detail::for_each_value<Text>(std::tie(values...), each);
    return xor_folded(check);
}

template <Literal Text, class... T>
std::array<std::byte, packed_bytes<Text>> pack(const T&... values) {
    std::array<std::byte, packed_bytes<Text>> out;
    pack_into<Text>(out, values...);
    return out;
}

/// Returns false and leaves `out` unchanged if the payload size is not packed_bytes<Text>.
template <Literal Text, class T>
bool unpack_into(std::span<const std::byte> payload, T& out) {
    if (payload.size() != packed_bytes<Text>) return false;
    detail::for_each_value<Text>(detail::references_to(out), [&](auto value, auto& member) {
        constexpr Slot slot = detail::Layout<Text>::slots[value];
        detail::load(payload.data(), slot, detail::Layout<Text>::format.order(), member);
    });
    return true;
}

/// Returns nullopt if the payload size is not packed_bytes<Text>.
template <Literal Text, class T>
std::optional<T> unpack(std::span<const std::byte> payload) {
    T out{};
    if (!unpack_into<Text>(payload, out)) return std::nullopt;
    return out;
}

/// A message whose id and format are known at compile time.
template <MessageId Id, Literal Text>
struct Message {
    static constexpr MessageId id = Id;
    static constexpr std::size_t packet_bytes = header_bytes + packed_bytes<Text>;

    /// The payload of a packet.
    template <class... T>
    static std::array<std::byte, packed_bytes<Text>> payload(const T&... values) {
        return pack<Text>(values...);
    }
    /// Writes the whole packet to the front of `out`, which must hold packet_bytes.
    template <class... T>
    static void encode_into(std::span<std::byte> out, const T&... values) {
        detail::require(out.size() >= packet_bytes);
        const std::byte check = pack_into<Text>(out.subspan(header_bytes), values...);
        write_header(out.data(), Id, packed_bytes<Text>, check);
    }
    /// Returns the whole packet.
    template <class... T>
    static std::array<std::byte, packet_bytes> encode(const T&... values) {
        std::array<std::byte, packet_bytes> out;
        encode_into(out, values...);
        return out;
    }

    /// Returns false and leaves `out` unchanged if id or size differ. Faster than decode() if `out` is reused.
    template <class T>
    static bool decode_into(const Packet& packet, T& out) {
        return packet.id == Id && unpack_into<Text>(packet.payload, out);
    }
    /// Returns nullopt if id or size differ.
    template <class T>
    static std::optional<T> decode(const Packet& packet) {
        if (packet.id != Id) return std::nullopt;
        return unpack<Text, T>(packet.payload);
    }
};

// The same functions for formats known only at run time; a type mismatch is then a result.

namespace detail {

/// Calls each(slot, member) for every value. Returns false, possibly after some calls, if a type does not match.
template <class Members, class Each>
bool for_each_value(const Format& format, const Members& members, const Each& each) {
    Format::Slots slots(format);
    const auto one = [&](auto& value) {
        const auto slot = slots.next();
        if (!slot || !fits<std::remove_cvref_t<decltype(value)>>(*slot)) return false;
        each(*slot, value);
        return true;
    };
    const auto member_values = [&](auto& member) {
        using T = std::remove_cvref_t<decltype(member)>;
        if constexpr (array_size<T> > 0) {
            Format::Slots ahead = slots;
            const auto slot = ahead.next();
            if (slot && slot->code != 's') return std::all_of(member.begin(), member.end(), one);
        }
        return one(member);
    };
    const bool all = std::apply([&](auto&... member) { return (member_values(member) && ...); }, members);
    return all && !slots.next();
}

}  // namespace detail

/// Writes the payload to the front of `out`, which must hold format.bytes(). Returns false if the types do not match
/// the format; the contents of `out` are then unspecified.
template <class... T>
bool pack_into(const Format& format, std::span<std::byte> out, const T&... values) {
    detail::require(out.size() >= format.bytes());
    if (format.has_gaps()) std::memset(out.data(), 0, format.bytes());
    const auto each = [&](const Slot& slot, const auto& value) {
        detail::store(out.data(), slot, format.order(), value);
    };
    if constexpr (sizeof...(T) == 1)
        return detail::for_each_value(format, detail::references_to(values...), each);
    else
        return detail::for_each_value(format, std::tie(values...), each);
}

/// Returns nullopt if size or types do not match the format.
template <class T>
std::optional<T> unpack(const Format& format, std::span<const std::byte> payload) {
    if (payload.size() != format.bytes()) return std::nullopt;
    std::optional<T> out(std::in_place);
    const auto each = [&](const Slot& slot, auto& value) { detail::load(payload.data(), slot, format.order(), value); };
    if (!detail::for_each_value(format, detail::references_to(*out), each)) return std::nullopt;
    return out;
}

}  // namespace ringpost::structs
