// A payload whose fields all have a fixed size is copied as a whole, and its fields are written over it. Otherwise the
// bytes between fields and the fields follow each other, and what is behind the first varying field has no fixed place.

#include "codec/traffic/payload.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"
#include "codec/traffic/payload_fields.hpp"

namespace ringpost::traffic {
namespace {

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

std::size_t digits_of(std::uint64_t value) {
    std::size_t digits = 1;
    for (; value >= 10; value /= 10) ++digits;
    return digits;
}

std::uint64_t power(std::uint64_t base, std::size_t exponent) {
    constexpr std::uint64_t most = std::uint64_t{1} << 63;
    std::uint64_t out = 1;
    for (; exponent > 0; --exponent) {
        if (out > most / base) return most;
        out *= base;
    }
    return out;
}

}  // namespace

void write_digits(std::byte* out, std::size_t count, std::uint64_t value) {
    for (; count > 0; value /= 10) out[--count] = static_cast<std::byte>('0' + value % 10);
}

/// Each nibble in a byte of its own, then as a digit, all at once.
void write_hex_32(std::byte* out, std::uint64_t value) {
    constexpr std::uint64_t each_byte = 0x0101010101010101;
    value &= 0xffffffff;
    value = (value & 0xffff0000) << 16 | (value & 0xffff);
    value = (value & 0x0000ff000000ff00) << 8 | (value & 0x000000ff000000ff);
    value = (value & 0x00f000f000f000f0) << 4 | (value & 0x000f000f000f000f);
    const std::uint64_t letters = (value + 6 * each_byte) >> 4 & each_byte;
    store_be<std::uint64_t>(out, value + '0' * each_byte + letters * ('a' - '0' - 10));
}

void write_rfc3339(std::byte* out, Duration since_1970) {
    using namespace std::chrono;
    const sys_time<nanoseconds> at{nanoseconds(since_1970)};
    const auto day = floor<days>(at);
    const year_month_day date(day);
    const hh_mm_ss time(floor<microseconds>(at - day));
    std::memcpy(out, "0000-00-00T00:00:00.000000Z", rfc3339_bytes);
    write_digits(&out[0], 4, static_cast<std::uint64_t>(static_cast<int>(date.year())));
    write_digits(&out[5], 2, static_cast<unsigned>(date.month()));
    write_digits(&out[8], 2, static_cast<unsigned>(date.day()));
    write_digits(&out[11], 2, static_cast<std::uint64_t>(time.hours().count()));
    write_digits(&out[14], 2, static_cast<std::uint64_t>(time.minutes().count()));
    write_digits(&out[17], 2, static_cast<std::uint64_t>(time.seconds().count()));
    write_digits(&out[rfc3339_fraction_at], 6, static_cast<std::uint64_t>(time.subseconds().count()));
}

std::expected<void, PayloadError> Payload::add_bytes(std::span<const std::byte> bytes) { return append(bytes, {}); }

std::expected<void, PayloadError> Payload::add_numbered(std::span<const std::byte> bytes) {
    const Field number{.value = Value::sequence, .big_endian = true, .offset = 0, .bytes = 2};
    RINGPOST_CHECK(bytes.size() >= number.bytes);
    return append(bytes, std::span(&number, 1));
}

void Payload::shrink() {
    image_.shrink_to_fit();
    items_.shrink_to_fit();
}

std::expected<void, PayloadError> Payload::append(std::span<const std::byte> bytes, std::span<const Field> fields) {
    std::size_t least = bytes.size(), most = bytes.size();
    for (const Field& field : fields) {
        if (field.bytes > 0) continue;
        least += field_bytes_min(field);
        most += field_bytes_max(field);
    }
    if (most == 0 || least == 0) return std::unexpected(PayloadError{PayloadError::Kind::empty, 0});
    if (most > limits::datagram_bytes_max) return std::unexpected(PayloadError{PayloadError::Kind::too_long, 0});
    // As when all lines of a file have the same fields at the same places.
    const bool shared = !items_.empty() && std::ranges::equal(fields_of(items_.back()), fields);
    if (items_.size() == limits::payloads_max || bytes.size() > limits::payloads_bytes_max - image_.size() ||
        (!shared && fields.size() > limits::payloads_fields_max - fields_.size()))
        return std::unexpected(PayloadError{PayloadError::Kind::too_many, 0});
    const bool varies = least != most;
    items_.push_back({.image_offset = static_cast<std::uint32_t>(image_.size()),
                      .first_field = shared ? items_.back().first_field : static_cast<std::uint32_t>(fields_.size()),
                      .bytes = static_cast<std::uint16_t>(bytes.size()),
                      .fields_and_varies = static_cast<std::uint16_t>(fields.size() | (varies ? varies_bit : 0u))});
    image_.insert(image_.end(), bytes.begin(), bytes.end());
    if (!shared) fields_.insert(fields_.end(), fields.begin(), fields.end());
    varying_ |= varies;
    bytes_min_ = items_.size() == 1 ? least : std::min(bytes_min_, least);
    bytes_max_ = std::max(bytes_max_, most);
    return {};
}

// ---- sizes ----------------------------------------------------------------------------------------

std::size_t Payload::field_bytes_min(const Field& field) const {
    if (field.bytes > 0) return field.bytes;
    if (field.value == Value::decimal) return 1;
    return std::ranges::min(std::span(choices_).subspan(field.first_choice, field.choices), {}, &Choice::bytes).bytes;
}

std::size_t Payload::field_bytes_max(const Field& field) const {
    if (field.bytes > 0) return field.bytes;
    if (field.value == Value::decimal) return decimal_digits_max;
    return std::ranges::max(std::span(choices_).subspan(field.first_choice, field.choices), {}, &Choice::bytes).bytes;
}

std::size_t Payload::size_of_field(const Field& field, const PayloadValues& values) const {
    if (field.bytes > 0) return field.bytes;
    return field.value == Value::decimal ? digits_of(values.in_flow) : choice_of(field, values).bytes;
}

std::size_t Payload::size_of(const PayloadValues& values) const {
    const Item& item = items_[values.sequence % items_.size()];
    std::size_t size = item.bytes;
    if (item.varies())
        for (const Field& field : fields_of(item))
            if (field.bytes == 0) size += size_of_field(field, values);
    return size;
}

double Payload::bytes_mean() const {
    const std::uint64_t count = std::min<std::uint64_t>(4'096, varying_ ? 4'096 : items_.size());
    const std::uint64_t step = std::max<std::uint64_t>(1, items_.size() / count);
    double sum = 0;
    for (std::uint64_t i = 0; i < count; ++i)
        sum += static_cast<double>(size_of({.sequence = i * step, .in_flow = i * step}));
    return sum / static_cast<double>(count);
}

const Payload::Choice& Payload::choice_of(const Field& field, const PayloadValues& values) const {
    const std::uint64_t random = mixed(mixed(values.seed) + values.sequence + field.first_choice);
    return choices_[field.first_choice + random % field.choices];
}

// ---- writing --------------------------------------------------------------------------------------

std::size_t Payload::write(std::span<std::byte> out, const PayloadValues& values) const {
    RINGPOST_CHECK(!items_.empty() && out.size() >= bytes_max_);
    return write_unchecked(out.data(), values);
}

std::size_t Payload::write_unchecked(std::byte* out, const PayloadValues& values) const {
    const Item& item = items_[values.sequence % items_.size()];
    if (item.varies()) return write_varying(out, item, values);
    std::memcpy(out, image_.data() + item.image_offset, item.bytes);
    write_fields(out, values);
    return item.bytes;
}

void Payload::write_fields(std::byte* out, const PayloadValues& values) const {
    const Item& item = items_[items_.size() == 1 ? 0 : values.sequence % items_.size()];
    for (const Field& field : fields_of(item)) write_field(&out[field.offset], field, values);
    if (seal_) seal_->apply({out, item.bytes});
}

std::size_t Payload::write_varying(std::byte* out, const Item& item, const PayloadValues& values) const {
    const std::byte* const image = image_.data() + item.image_offset;
    std::size_t copied = 0, size = 0;
    const auto copy_up_to = [&](std::size_t end) {
        if (end > copied) std::memcpy(&out[size], &image[copied], end - copied);
        size += end - copied;
    };
    for (const Field& field : fields_of(item)) {
        copy_up_to(field.offset);
        copied = std::size_t{field.offset} + field.bytes;
        size += write_field(&out[size], field, values);
    }
    copy_up_to(item.bytes);
    return size;
}

std::size_t Payload::write_field(std::byte* out, const Field& field, const PayloadValues& values) const {
    const std::size_t size = size_of_field(field, values);
    switch (field.value) {
        case Value::sequence: write_integer(out, size, field.big_endian, values.in_flow); break;
        case Value::decimal: write_digits(out, size, values.in_flow); break;
        case Value::hex: write_hex_32(out, values.in_flow); break;
        case Value::time: write_integer(out, size, field.big_endian, static_cast<std::uint64_t>(values.due)); break;
        case Value::unix_time:
            write_digits(out, size, static_cast<std::uint64_t>((values.due + values.unix_offset) / second));
            break;
        case Value::rfc3339: write_rfc3339(out, values.due + values.unix_offset); break;
        case Value::random:
            write_random({out, size}, mixed(mixed(values.seed) + values.sequence) + field.first_choice);
            break;
        case Value::random_hex:
            write_hex_32(out, mixed(mixed(values.seed) + values.sequence + field.first_choice));
            break;
        case Value::pick: std::memcpy(out, &choice_bytes_[choice_of(field, values).offset], size); break;
    }
    return size;
}

std::optional<Payload> Payload::with_digits(std::size_t digits) const {
    if (items_.size() != 1) return std::nullopt;
    Payload out;
    out.seal_ = seal_;
    out.choices_ = choices_;
    out.choice_bytes_ = choice_bytes_;
    std::vector<std::byte> bytes(image_);
    std::vector<Field> fields(fields_);
    std::size_t moved = 0;
    for (Field& field : fields) {
        field.offset = static_cast<std::uint16_t>(field.offset + moved);
        if (field.bytes > 0) continue;
        if (field.value != Value::decimal) return std::nullopt;
        field.bytes = static_cast<std::uint16_t>(digits);
        bytes.insert(bytes.begin() + field.offset, digits, std::byte{});
        moved += digits;
    }
    if (!out.append(bytes, fields)) return std::nullopt;
    return out;
}

// ---- what repeats ---------------------------------------------------------------------------------

std::uint64_t Payload::distinct(std::size_t offset, std::size_t count) const {
    std::uint64_t smallest = UINT64_MAX;
    for (const Item& item : items_) smallest = std::min(smallest, distinct_of(item, offset, count));
    return smallest;
}

std::uint64_t Payload::distinct_of(const Item& item, std::size_t offset, std::size_t count) const {
    const bool all = offset == 0 && count >= bytes_max_;
    std::uint64_t most = 1;
    for (const Field& field : fields_of(item)) {
        const std::size_t bytes = field.value == Value::decimal && field.bytes == 0 ? decimal_digits_max : field.bytes;
        const std::size_t from = std::max<std::size_t>(field.offset, offset);
        const std::size_t to = all ? field.offset + bytes : std::min(field.offset + bytes, offset + count);
        const bool first = from == field.offset, last = to == field.offset + bytes;
        // The low bytes of a number are the ones that change from datagram to datagram.
        if (from < to) {
            const std::size_t n = to - from;
            if (field.value == Value::random) most = std::max(most, power(256, n));
            if (field.value == Value::sequence && (field.big_endian ? last : first))
                most = std::max(most, power(256, n));
            if (field.value == Value::hex && last) most = std::max(most, power(16, n));
            if (field.value == Value::decimal && first) most = std::max(most, power(10, n));
        }
        if (field.bytes == 0 && !all) break;  // the place of the following fields varies
    }
    return most;
}

}  // namespace ringpost::traffic
