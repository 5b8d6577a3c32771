// The fields of a whole train, field by field, so that what kind of field it is is decided once. A number in digits is
// counted up from that of the datagram before, and a time of day is copied from it within the same second.

#include <cstring>
#include <utility>

#include "codec/base/bytes.hpp"
#include "codec/traffic/payload.hpp"
#include "codec/traffic/payload_fields.hpp"

namespace ringpost::traffic {
namespace {

/// The same field of consecutive datagrams.
struct Column {
    std::byte* first;
    std::size_t stride, count;

    std::byte* at(std::size_t i) const { return first + i * stride; }
};

template <class Word, class ValueOf>
void store_each(const Column& column, bool big_endian, const ValueOf& value_of) {
    if (big_endian)
        for (std::size_t i = 0; i < column.count; ++i) store_be<Word>(column.at(i), static_cast<Word>(value_of(i)));
    else
        for (std::size_t i = 0; i < column.count; ++i) store_le<Word>(column.at(i), static_cast<Word>(value_of(i)));
}

template <class ValueOf>
void write_integers(const Column& column, std::size_t bytes, bool big_endian, const ValueOf& value_of) {
    switch (bytes) {
        case 1: return store_each<std::uint8_t>(column, big_endian, value_of);
        case 2: return store_each<std::uint16_t>(column, big_endian, value_of);
        case 4: return store_each<std::uint32_t>(column, big_endian, value_of);
        default: return store_each<std::uint64_t>(column, big_endian, value_of);
    }
}

/// The successor of a number whose digits are all there.
void count_up(std::byte* digits, std::size_t count) {
    while (count-- > 0) {
        if (digits[count] != std::byte{'9'}) {
            digits[count] = static_cast<std::byte>(static_cast<int>(digits[count]) + 1);
            return;
        }
        digits[count] = std::byte{'0'};
    }
}

/// A copy of constant size costs a fraction of one whose size is a variable.
template <std::size_t... Digits>
void copy_digits(std::byte* out, const std::byte* digits, std::size_t count, std::index_sequence<Digits...>) {
    ((count == Digits + 1 ? void(std::memcpy(out, digits, Digits + 1)) : void()), ...);
}

void write_counted(const Column& column, std::size_t digits, std::uint64_t first) {
    std::byte number[decimal_digits_max];
    write_digits(number, digits, first);
    for (std::size_t i = 0; i < column.count; ++i) {
        copy_digits(column.at(i), number, digits, std::make_index_sequence<decimal_digits_max>());
        count_up(number, digits);
    }
}

/// `write` writes a time of `bytes`, of which those from `fraction_at` on are microseconds and a Z.
template <class SinceOf, class Write>
void write_times(const Column& column, std::size_t bytes, std::size_t fraction_at, const SinceOf& since_of,
                 const Write& write) {
    Duration last = -second;
    for (std::size_t i = 0; i < column.count; ++i) {
        const Duration since = since_of(i);
        if (since / second != last / second) {
            write(column.at(i), since);
        } else {
            std::memcpy(column.at(i), column.at(i - 1), bytes);
            if (since != last && fraction_at < bytes)
                write_digits(column.at(i) + fraction_at, bytes - fraction_at - 1,
                             static_cast<std::uint64_t>(since % second / microsecond));
        }
        last = since;
    }
}

}  // namespace

void Payload::write_fields_each(std::byte* out, std::size_t stride, std::size_t count, const PayloadValues& first,
                                std::span<const Instant> dues) const {
    const Item& item = items_[0];
    const auto due_of = [&](std::size_t i) { return dues[dues.size() == 1 ? 0 : i]; };
    const auto since_of = [&](std::size_t i) { return due_of(i) + first.unix_offset; };
    for (const Field& field : fields_of(item)) {
        const Column column{out + field.offset, stride, count};
        switch (field.value) {
            case Value::sequence:
                write_integers(column, field.bytes, field.big_endian, [&](std::size_t i) { return first.in_flow + i; });
                break;
            case Value::time: write_integers(column, field.bytes, field.big_endian, due_of); break;
            case Value::decimal: write_counted(column, field.bytes, first.in_flow); break;
            case Value::unix_time:
                write_times(column, field.bytes, field.bytes, since_of, [&](std::byte* at, Duration since) {
                    write_digits(at, field.bytes, static_cast<std::uint64_t>(since / second));
                });
                break;
            case Value::rfc3339: write_times(column, field.bytes, rfc3339_fraction_at, since_of, write_rfc3339); break;
            case Value::hex:
                for (std::size_t i = 0; i < count; ++i) write_hex_32(column.at(i), first.in_flow + i);
                break;
            case Value::random:
            case Value::random_hex:
            case Value::pick: {
                PayloadValues each = first;
                for (std::size_t i = 0; i < count; ++i, ++each.sequence, ++each.in_flow)
                    write_field(column.at(i), field, each);
            }
        }
    }
    if (seal_)
        for (std::size_t i = 0; i < count; ++i) seal_->apply({out + i * stride, item.bytes});
}

}  // namespace ringpost::traffic
