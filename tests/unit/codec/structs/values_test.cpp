#include <ringpost/structs/values.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include <ringpost/structs/frame.hpp>
#include "tests/sim/seeds.hpp"
#include "tests/unit/helpers.hpp"
#include "tests/unit/vectors.hpp"

namespace ringpost::structs {
namespace {

std::vector<Value> unpacked(const Format& format, const Bytes& payload) {
    std::vector<Value> out;
    ValueReader reader(format, payload);
    while (const auto value = reader.next()) out.push_back(*value);
    return out;
}

std::expected<Bytes, ValueError> packed(const char* format_text, const std::vector<Value>& values) {
    const Format format = *Format::parse(format_text);
    Bytes out(format.bytes(), std::byte{0xee});
    if (const auto done = pack(format, values, out); !done) return std::unexpected(done.error());
    return out;
}

Value value_of(const Json& json) {
    if (json.is_boolean()) return json.get<bool>();
    if (json.is_number_unsigned()) return json.get<std::uint64_t>();
    if (json.is_number_integer()) return json.get<std::int64_t>();
    if (json.is_number_float()) return json.get<double>();
    return std::string_view(json.get_ref<const std::string&>());
}

bool same(const Value& value, const Json& json) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return json == *number;
    if (const auto* number = std::get_if<std::uint64_t>(&value)) return json == *number;
    if (const auto* number = std::get_if<double>(&value))
        return json == *number && std::signbit(json.get<double>()) == std::signbit(*number);
    if (const auto* flag = std::get_if<bool>(&value)) return json == *flag;
    std::string text = json;  // padded by the format
    const auto bytes = std::get<std::string_view>(value);
    text.resize(bytes.size());
    return text == bytes;
}

TEST(StructsValues, every_vector_in_both_directions) {
    for (const Json& vector : vectors("struct")) {
        SCOPED_TRACE(vector.dump());
        const Bytes bytes = bytes_from_hex(vector.at("hex"));
        const Bytes payload(bytes.begin() + header_bytes, bytes.end());
        const std::string format = vector.at("format");
        std::vector<Value> values;
        for (const Json& value : vector.at("values")) values.push_back(value_of(value));
        EXPECT_EQ(packed(format.c_str(), values), payload);
        const auto back = unpacked(*Format::parse(format), payload);
        ASSERT_EQ(back.size(), values.size());
        for (std::size_t i = 0; i < back.size(); ++i) EXPECT_TRUE(same(back[i], vector.at("values").at(i))) << i;
    }
}

TEST(StructsValues, limits_of_every_integer_range) {
    for (const char* prefix : {"<", ">", "@"})
        for (const char code : std::string("bBhHiIlLqQ")) {
            const std::string format = prefix + std::string(1, code);
            SCOPED_TRACE(format);
            const Format parsed = *Format::parse(format);
            const IntegerRange range = range_of(*parsed.slots().next());
            const Bytes least = *packed(format.c_str(), {range.min}), most = *packed(format.c_str(), {range.max});
            if (range.min < 0) {
                EXPECT_EQ(unpacked(parsed, least), std::vector<Value>{range.min});
                EXPECT_EQ(unpacked(parsed, most), std::vector<Value>{static_cast<std::int64_t>(range.max)});
            } else {
                EXPECT_EQ(unpacked(parsed, least), std::vector<Value>{std::uint64_t{0}});
                EXPECT_EQ(unpacked(parsed, most), std::vector<Value>{range.max});
            }
            // One beyond either limit, if that number exists.
            std::vector<Value> beyond;
            if (range.min > INT64_MIN) beyond.emplace_back(range.min - 1);
            if (range.max < UINT64_MAX) beyond.emplace_back(range.max + 1);
            if (range.max < INT64_MAX) beyond.emplace_back(static_cast<std::int64_t>(range.max) + 1);
            if (range.min == 0) beyond.emplace_back(INT64_MIN);
            const ValueError refused{ValueError::Kind::out_of_range, 0, *parsed.slots().next()};
            for (const Value& value : beyond) EXPECT_EQ(packed(format.c_str(), {value}).error(), refused);
        }
}

// The behaviour of Python's struct.pack for each kind of value.
TEST(StructsValues, kinds_of_value) {
    const auto hex = bytes_from_hex;
    EXPECT_EQ(packed("<h", {true}), hex("0100")) << "a bool is an integer";
    EXPECT_EQ(packed("<h", {1.0}).error().kind, ValueError::Kind::wrong_kind);
    EXPECT_EQ(packed("<h", {std::string_view("1")}).error().kind, ValueError::Kind::wrong_kind);
    EXPECT_EQ(packed("<d", {std::int64_t{-2}}), hex("00000000000000c0"));
    EXPECT_EQ(packed("<f", {UINT64_MAX}), hex("0000805f"));
    EXPECT_EQ(packed("<f", {true}), hex("0000803f"));
    EXPECT_EQ(packed("<f", {std::string_view("1")}).error().kind, ValueError::Kind::wrong_kind);
    const std::pair<Value, const char*> truths[] = {
        {true, "01"}, {false, "00"}, {std::int64_t{-1}, "01"},       {std::uint64_t{0}, "00"},
        {0.5, "01"},  {-0.0, "00"},  {std::string_view("no"), "01"}, {std::string_view(), "00"}};
    for (const auto& [value, bytes] : truths) EXPECT_EQ(packed("?", {value}), hex(bytes));
    EXPECT_EQ(packed("c", {std::string_view("Z")}), hex("5a"));
    EXPECT_EQ(packed("c", {std::string_view("")}).error().kind, ValueError::Kind::out_of_range);
    EXPECT_EQ(packed("c", {std::string_view("ZZ")}).error().kind, ValueError::Kind::out_of_range);
    EXPECT_EQ(packed("c", {std::int64_t{90}}).error().kind, ValueError::Kind::wrong_kind);
    EXPECT_EQ(packed("3s", {std::string_view("hi")}), hex("686900"));
    EXPECT_EQ(packed("3s", {std::string_view("hello")}), hex("68656c"));
    EXPECT_EQ(packed("0s", {std::string_view("hello")}), hex(""));
    EXPECT_EQ(packed("3s", {std::int64_t{1}}).error().kind, ValueError::Kind::wrong_kind);
}

TEST(StructsValues, floats) {
    const double largest = std::numeric_limits<float>::max();
    EXPECT_EQ(packed("<f", {largest}), bytes_from_hex("ffff7f7f"));
    // Values up to half a unit in the last place above the maximum are rounded down to it, as in Python.
    EXPECT_TRUE(packed("<f", {3.4028235677973362e38}));
    EXPECT_EQ(packed("<f", {3.4028235677973366e38}).error().kind, ValueError::Kind::out_of_range);
    EXPECT_EQ(packed("f", {-1e300}).error().kind, ValueError::Kind::out_of_range)
        << "in native mode as well, unlike Python";
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(packed(">f", {infinity}), bytes_from_hex("7f800000"));
    EXPECT_EQ(packed(">d", {-infinity}), bytes_from_hex("fff0000000000000"));
    const auto back = unpacked(*Format::parse(">f"), *packed(">f", {std::numeric_limits<double>::quiet_NaN()}));
    EXPECT_TRUE(std::isnan(std::get<double>(back.at(0))));
}

TEST(StructsValues, errors_identify_the_value) {
    const std::vector<Value> values(3, Value{std::int64_t{300}});
    EXPECT_EQ(packed("<hhB", values).error(), (ValueError{ValueError::Kind::out_of_range, 2, {'B', 4, 1}}));
    EXPECT_EQ(packed("<hh", values).error(), (ValueError{ValueError::Kind::too_many, 2, {}}));
    EXPECT_EQ(packed("<hhhd", values).error(), (ValueError{ValueError::Kind::too_few, 3, {'d', 6, 8}}));
    EXPECT_EQ(packed("", values).error(), (ValueError{ValueError::Kind::too_many, 0, {}}));
    EXPECT_EQ(packed("", {}), Bytes{});
    EXPECT_EQ(packed("b", {}).error().kind, ValueError::Kind::too_few);
}

std::string random_format(Random& random) {
    const std::string codes = "bBhHiIlLqQfd?csx", prefixes = "@=<>!";
    std::string text = random() % 6 == 0 ? "" : std::string(1, prefixes[random() % prefixes.size()]);
    for (std::uint64_t count = random() % 9; count > 0; --count) {
        if (random() % 3 == 0) text += std::to_string(random() % 6);
        text += codes[random() % codes.size()];
        if (random() % 5 == 0) text += ' ';
    }
    return text;
}

// Unpacking and packing any payload yields the same bytes, except for padding and bools other than 1; a second time,
// exactly the same.
TEST(StructsValues, unpacked_values_pack_to_the_same_bytes) {
    sim::for_each_seed(3'000, [](std::uint64_t seed) {
        Random random(seed);
        const std::string text = random_format(random);
        SCOPED_TRACE(text);
        const Format format = *Format::parse(text);
        Bytes payload = random_bytes(random, format.bytes());
        Bytes expected(payload.size());
        Format::Slots slots = format.slots();
        while (const auto slot = slots.next()) {
            if (slot->code == '?' && payload[slot->offset] != std::byte{}) payload[slot->offset] = std::byte{1};
            // A signalling NaN is returned as a quiet one.
            if (slot->code == 'f') payload[slot->offset + 1u] = payload[slot->offset + 2u] = std::byte{};
            for (std::size_t i = slot->offset; i < slot->offset + std::size_t{slot->bytes}; ++i)
                expected[i] = payload[i];
        }
        ASSERT_EQ(packed(text.c_str(), unpacked(format, payload)), expected);
    });
}

}  // namespace
}  // namespace ringpost::structs
