#include <ringpost/structs/typed.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include <ringpost/structs/values.hpp>
#include "tests/unit/helpers.hpp"

namespace ringpost::structs {
namespace {

struct Reading {
    std::uint8_t kind = 0;
    std::uint16_t sensor = 0;
    std::uint32_t count = 0;
    std::uint64_t at = 0;
    bool operator==(const Reading&) const = default;
};

struct Nothing {
    bool operator==(const Nothing&) const = default;
};

template <std::size_t Size>
Bytes bytes_of_array(const std::array<std::byte, Size>& array) {
    return {array.begin(), array.end()};
}

TEST(StructsTyped, an_aggregate_a_tuple_and_arguments_pack_alike) {
    const Bytes expected = bytes_from_hex("0102030405060708090a0b0c0d0e0f");
    const Reading reading{0x01, 0x0302, 0x07060504, 0x0f0e0d0c0b0a0908};
    const std::tuple tuple{reading.kind, reading.sensor, reading.count, reading.at};
    EXPECT_EQ(bytes_of_array(pack<"<BHIQ">(reading)), expected);
    EXPECT_EQ(bytes_of_array(pack<"<BHIQ">(tuple)), expected);
    EXPECT_EQ(bytes_of_array(pack<"<BHIQ">(reading.kind, reading.sensor, reading.count, reading.at)), expected);
    EXPECT_EQ((unpack<"<BHIQ", Reading>(expected)), reading);
    EXPECT_EQ((unpack<"<BHIQ", std::tuple<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>>(expected)),
              tuple);
    for (const std::size_t size : {0u, 14u, 16u})
        EXPECT_FALSE((unpack<"<BHIQ", Reading>(Bytes(size)))) << "different length";
}

TEST(StructsTyped, byte_orders_and_padding) {
    const auto packed = [](auto array) { return bytes_of_array(array); };
    const std::int8_t small = -1;
    EXPECT_EQ(packed(pack<"bi">(small, 2)), bytes_from_hex("ff00000002000000")) << "padding is 0";
    EXPECT_EQ(packed(pack<"ib">(2, small)), bytes_from_hex("02000000ff"));
    EXPECT_EQ(packed(pack<"=bi">(small, 2)), bytes_from_hex("ff02000000"));
    EXPECT_EQ(packed(pack<">bi">(small, 2)), bytes_from_hex("ff00000002"));
    EXPECT_EQ(packed(pack<"!fd">(1.5f, -2.25)), bytes_from_hex("3fc00000c002000000000000"));
    EXPECT_EQ(packed(pack<"b3xb0h">(small, small)), bytes_from_hex("ff000000ff00"));
    EXPECT_EQ(packed(pack<"l">(5l)), bytes_from_hex("0500000000000000")) << "long and long long both have 8 bytes";
    EXPECT_EQ(packed(pack<"q">(5l)), packed(pack<"q">(5ll)));
    EXPECT_EQ(packed(pack<"<l">(5)), bytes_from_hex("05000000"));
    EXPECT_EQ(packed(pack<"?c">(true, 'Z')), bytes_from_hex("015a"));
    EXPECT_EQ(packed(pack<"">()), Bytes{});
    EXPECT_EQ(packed(pack<"2x">(Nothing{})), Bytes(2));
    EXPECT_EQ((unpack<"2x", Nothing>(Bytes(2, std::byte{7}))), Nothing{});
    EXPECT_EQ((unpack<"bi", std::pair<std::int8_t, int>>(bytes_from_hex("ffeeeeee02000000"))), std::pair(small, 2));
    EXPECT_EQ((unpack<">d", double>(bytes_from_hex("c002000000000000"))), -2.25);
    EXPECT_EQ((unpack<"?", bool>(bytes_from_hex("80"))), true) << "any value but 0, as in Python";
}

struct Labelled {
    std::array<char, 4> label{};
    std::array<std::int16_t, 3> points{};
    std::array<std::byte, 2> raw{};
    std::byte last{};
    bool operator==(const Labelled&) const = default;
};

TEST(StructsTyped, arrays_are_strings_or_several_values) {
    const Labelled labelled{{'a', 'b', 'c', 'd'}, {1, -2, 3}, {std::byte{8}, std::byte{9}}, std::byte{7}};
    const auto bytes = pack<">4s3h2sc">(labelled);
    EXPECT_EQ(bytes_of_array(bytes), bytes_from_hex("616263640001fffe0003080907"));
    EXPECT_EQ((unpack<">4s3h2sc", Labelled>(bytes)), labelled);
    EXPECT_EQ(bytes_of_array(pack<">hhh">(std::array<std::int16_t, 3>{1, 2, 3})), bytes_from_hex("000100020003"));
    EXPECT_EQ(bytes_of_array(pack<"<bhb">(std::tuple{std::int8_t{1}, std::array{std::int16_t{2}}, std::int8_t{3}})),
              bytes_from_hex("01020003"));
    EXPECT_EQ(bytes_of_array(pack<"2c">(std::array{'x', 'y'})), bytes_from_hex("7879"));
}

TEST(StructsTyped, a_string_is_truncated_or_padded_and_viewed_in_place) {
    const auto packed = [](std::string_view text) { return bytes_of_array(pack<"B5s">(std::uint8_t{1}, text)); };
    EXPECT_EQ(packed("hi"), bytes_from_hex("016869000000"));
    EXPECT_EQ(packed(""), bytes_from_hex("010000000000"));
    EXPECT_EQ(packed("hello, world"), bytes_from_hex("0168656c6c6f"));
    const Bytes bytes = packed("hi");
    const auto back = unpack<"B5s", std::tuple<std::uint8_t, std::string_view>>(bytes);
    ASSERT_TRUE(back);
    EXPECT_EQ(std::get<1>(*back), std::string_view("hi\0\0\0", 5));
    EXPECT_EQ(static_cast<const void*>(std::get<1>(*back).data()), &bytes[1]);
}

struct Sixteen {
    std::int8_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9, j = 10, k = 11, l = 12, m = 13, n = 14,
                o = 15, p = 16;
    bool operator==(const Sixteen&) const = default;
};

template <std::size_t Count>
struct Many;
template <>
struct Many<1> {
    std::int8_t a;
};
template <>
struct Many<2> {
    std::int8_t a, b;
};
template <>
struct Many<3> {
    std::int8_t a, b, c;
};
template <>
struct Many<5> {
    std::int8_t a, b, c, d, e;
};
template <>
struct Many<6> {
    std::int8_t a, b, c, d, e, f;
};
template <>
struct Many<7> {
    std::int8_t a, b, c, d, e, f, g;
};
template <>
struct Many<8> {
    std::int8_t a, b, c, d, e, f, g, h;
};
template <>
struct Many<9> {
    std::int8_t a, b, c, d, e, f, g, h, i;
};
template <>
struct Many<10> {
    std::int8_t a, b, c, d, e, f, g, h, i, j;
};
template <>
struct Many<11> {
    std::int8_t a, b, c, d, e, f, g, h, i, j, k;
};
template <>
struct Many<12> {
    std::int8_t a, b, c, d, e, f, g, h, i, j, k, l;
};
template <>
struct Many<13> {
    std::int8_t a, b, c, d, e, f, g, h, i, j, k, l, m;
};
template <>
struct Many<14> {
    std::int8_t a, b, c, d, e, f, g, h, i, j, k, l, m, n;
};
template <>
struct Many<15> {
    std::int8_t a, b, c, d, e, f, g, h, i, j, k, l, m, n, o;
};

static_assert(detail::member_count<Nothing>() == 0 && detail::member_count<Reading>() == 4);
static_assert(detail::member_count<Labelled>() == 4, "an array is one member");
static_assert(detail::member_count<Sixteen>() == limits::struct_members_max);

// Members keep their order, for any number of them.
template <std::size_t Count>
void expect_in_order() {
    Many<Count> many{};
    std::apply(
        [](auto&... member) {
            std::int8_t next = 0;
            ((member = ++next), ...);
        },
        detail::members_of(many));
    EXPECT_EQ(detail::member_count<Many<Count>>(), Count);
    const auto bytes = std::bit_cast<std::array<std::int8_t, Count>>(many);
    for (std::size_t i = 0; i < Count; ++i) EXPECT_EQ(bytes[i], static_cast<std::int8_t>(i + 1)) << Count;
}

TEST(StructsTyped, aggregates_of_any_number_of_members) {
    [&]<std::size_t... Count>(std::index_sequence<Count...>) {
        (expect_in_order<Count>(), ...);
    }(std::index_sequence<1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15>{});
    const auto bytes = pack<"16b">(Sixteen{});
    EXPECT_EQ(bytes_of_array(bytes), bytes_from_hex("0102030405060708090a0b0c0d0e0f10"));
    EXPECT_EQ((unpack<"16b", Sixteen>(bytes)), Sixteen{});
}

// Tests whether something compiles.
template <class T>
constexpr bool one_fits(char code, std::uint16_t bytes) {
    return detail::fits<T>(Slot{code, 0, bytes});
}
static_assert(one_fits<std::uint16_t>('H', 2) && !one_fits<std::int16_t>('H', 2) && !one_fits<int>('H', 2));
static_assert(one_fits<std::int64_t>('l', 8) && !one_fits<std::int64_t>('l', 4) && one_fits<std::int32_t>('l', 4));
static_assert(one_fits<std::int8_t>('b', 1) && !one_fits<char>('b', 1) && !one_fits<bool>('b', 1));
static_assert(one_fits<char>('c', 1) && one_fits<std::byte>('c', 1) && !one_fits<std::int8_t>('c', 1));
static_assert(one_fits<bool>('?', 1) && !one_fits<std::uint8_t>('?', 1));
static_assert(one_fits<float>('f', 4) && !one_fits<double>('f', 4) && !one_fits<int>('f', 4) &&
              one_fits<double>('d', 8));
static_assert(one_fits<std::array<char, 5>>('s', 5) && !one_fits<std::array<char, 4>>('s', 5));
static_assert(one_fits<std::string_view>('s', 5) && !one_fits<std::string>('s', 5) && !one_fits<const char*>('s', 5));

TEST(StructsTyped, a_runtime_format_is_checked_at_run_time) {
    const Format format = *Format::parse("<BHIQ");
    const Reading reading{1, 2, 3, 4};
    Bytes out(format.bytes());
    ASSERT_TRUE(pack_into(format, out, reading));
    EXPECT_EQ(out, bytes_of_array(pack<"<BHIQ">(reading)));
    EXPECT_EQ(unpack<Reading>(format, out), reading);
    EXPECT_FALSE(unpack<Reading>(format, Bytes(14)));
    EXPECT_FALSE(unpack<Reading>(*Format::parse("<BHII"), Bytes(11))) << "different type";
    EXPECT_FALSE(unpack<Reading>(*Format::parse("<BHIQB"), Bytes(16))) << "one value more";
    EXPECT_FALSE(unpack<Reading>(*Format::parse("<BHI"), Bytes(7))) << "one value less";
    EXPECT_FALSE(pack_into(format, out, std::uint8_t{1}, 2, 3, 4));
    EXPECT_TRUE(pack_into(format, out, std::uint8_t{1}, std::uint16_t{2}, 3u, 4ul));

    const Format mixed = *Format::parse("4s3h2sc");
    const Labelled labelled{{'a', 'b', 'c', 'd'}, {1, -2, 3}, {std::byte{8}, std::byte{9}}, std::byte{7}};
    Bytes bytes(mixed.bytes(), std::byte{0xee});
    ASSERT_TRUE(pack_into(mixed, bytes, labelled));
    EXPECT_EQ(unpack<Labelled>(mixed, bytes), labelled);
    EXPECT_FALSE(unpack<Labelled>(*Format::parse("4s2hi2sc"), Bytes(15)))
        << "the last value of an array has a different type";
    EXPECT_FALSE(unpack<Labelled>(*Format::parse("5s3h2sc"), Bytes(15)));
}

TEST(StructsTyped, messages) {
    using ReadingMessage = Message<1, "<BHIQ">;
    static_assert(ReadingMessage::packet_bytes == 22);
    const Reading reading{255, 65'535, 4'294'967'295, UINT64_MAX};
    const auto bytes = ReadingMessage::encode(reading);
    EXPECT_EQ(bytes_of_array(bytes), bytes_from_hex("ffff01001600ffffffffffffffffffffffffffffffff"));
    const auto packet = decode(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(ReadingMessage::decode<Reading>(*packet), reading);
    EXPECT_FALSE((Message<2, "<BHIQ">::decode<Reading>(*packet))) << "different id";
    EXPECT_FALSE((Message<1, "<BHIQx">::decode<Reading>(*packet))) << "different length";
}

}  // namespace
}  // namespace ringpost::structs
