#include <ringpost/structs/format.hpp>

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/vectors.hpp"

namespace ringpost::structs {
namespace {

// Checked at compile time, since parsing is constexpr.
static_assert(Format::parse("<BHIQ")->bytes() == 15);
static_assert(Format::parse("@BHIQ")->has_gaps());
static_assert(!Format::parse("<BHIQ")->has_gaps());
static_assert(Format::parse("z").error() == FormatError{FormatError::Kind::bad_code, 0});

std::string slots_text(const Format& format) {
    std::string out;
    Format::Slots slots = format.slots();
    while (const auto slot = slots.next())
        out += (out.empty() ? "" : " ") + std::string(1, slot->code) + std::to_string(slot->offset) + "+" +
               std::to_string(slot->bytes);
    return out;
}

TEST(StructsFormat, sizes_of_the_vectors) {
    for (const Json& vector : vectors("struct")) {
        const auto format = Format::parse(vector.at("format").get<std::string>());
        ASSERT_TRUE(format) << vector;
        EXPECT_EQ(format->bytes(), vector.at("payload_size")) << vector;
        EXPECT_EQ(format->values(), vector.at("values").size()) << vector;
    }
}

TEST(StructsFormat, positions_of_all_values) {
    const struct {
        const char* text;
        std::size_t bytes;
        const char* slots;
    } table[] = {
        {"", 0, ""},
        {"<", 0, ""},
        {"bBhHiIlLqQ", 48, "b0+1 B1+1 h2+2 H4+2 i8+4 I12+4 l16+8 L24+8 q32+8 Q40+8"},
        {"=bBhHiIlLqQ", 38, "b0+1 B1+1 h2+2 H4+2 i6+4 I10+4 l14+4 L18+4 q22+8 Q30+8"},
        {"fd?c", 18, "f0+4 d8+8 ?16+1 c17+1"},
        {">fd?c", 14, "f0+4 d4+8 ?12+1 c13+1"},
        {"3i", 12, "i0+4 i4+4 i8+4"},
        {"iii", 12, "i0+4 i4+4 i8+4"},
        {"i2i", 12, "i0+4 i4+4 i8+4"},
        {"5s", 5, "s0+5"},
        {"2s3s", 5, "s0+2 s2+3"},
        {"0s", 0, "s0+0"},
        {"s", 1, "s0+1"},
        {"b3xb", 5, "b0+1 b4+1"},
        {"bxxi", 8, "b0+1 i4+4"},
        {"b0i", 4, "b0+1"},
        {"b0ib", 5, "b0+1 b4+1"},
        {"<b0ib", 2, "b0+1 b1+1"},
        {"0i", 0, ""},
        {"lb0l", 16, "l0+8 b8+1"},
        {" \f\r\v\t\n i ", 4, "i0+4"},
        {"! 2h 3B ", 7, "h0+2 h2+2 B4+1 B5+1 B6+1"},
        {"00002h", 4, "h0+2 h2+2"},
        {"x", 1, ""},
    };
    for (const auto& [text, bytes, slots] : table) {
        const auto format = Format::parse(text);
        ASSERT_TRUE(format) << text;
        EXPECT_EQ(format->bytes(), bytes) << text;
        EXPECT_EQ(slots_text(*format), slots) << text;
    }
}

TEST(StructsFormat, prefixes) {
    for (const char* text : {"h", "@h", "=h", "<h"}) EXPECT_EQ(Format::parse(text)->order(), std::endian::little);
    for (const char* text : {">h", "!h"}) EXPECT_EQ(Format::parse(text)->order(), std::endian::big);
}

TEST(StructsFormat, errors_have_a_position) {
    using namespace std::string_view_literals;
    const struct {
        std::string_view text;
        FormatError error;
    } table[] = {
        {"z", {FormatError::Kind::bad_code, 0}},
        {"iz", {FormatError::Kind::bad_code, 1}},
        {"<<i", {FormatError::Kind::bad_code, 1}},
        {" <i", {FormatError::Kind::bad_code, 1}},
        {"i<", {FormatError::Kind::bad_code, 1}},
        {"3 i", {FormatError::Kind::bad_code, 1}},
        {"-1i", {FormatError::Kind::bad_code, 0}},
        {"i,i", {FormatError::Kind::bad_code, 1}},
        {"i\0"sv, {FormatError::Kind::bad_code, 1}},
        {"i\xa0", {FormatError::Kind::bad_code, 1}},
        {"p", {FormatError::Kind::bad_code, 0}},
        {"e", {FormatError::Kind::bad_code, 0}},
        {"n", {FormatError::Kind::bad_code, 0}},
        {"N", {FormatError::Kind::bad_code, 0}},
        {"P", {FormatError::Kind::bad_code, 0}},
        {"i12", {FormatError::Kind::count_without_code, 1}},
        {"3", {FormatError::Kind::count_without_code, 0}},
        {"<0", {FormatError::Kind::count_without_code, 1}},
        {"65529s", {FormatError::Kind::too_large, 0}},
        {"b65528s", {FormatError::Kind::too_large, 1}},
        {"8192d", {FormatError::Kind::too_large, 0}},
        {"99999999999999999999999999x", {FormatError::Kind::too_large, 0}},
        {"<99999999999999999999999999", {FormatError::Kind::count_without_code, 1}},
        {"65527sd", {FormatError::Kind::too_large, 6}},
    };
    for (const auto& [text, error] : table) {
        const auto format = Format::parse(text);
        ASSERT_FALSE(format) << text;
        EXPECT_EQ(format.error(), error) << text << ": " << format.error().position;
        EXPECT_STRNE(describe(error.kind), "");
    }
}

TEST(StructsFormat, maximum_size) {
    for (const char* text : {"65528s", "65528x", "65528B", "32764h", "8191d", "<8191q", "65520sd"})
        EXPECT_TRUE(Format::parse(text)) << text;
    EXPECT_EQ(Format::parse("65528B")->values(), 65'528u);
    EXPECT_EQ(Format::parse("65528B")->runs().size(), 1u);
    EXPECT_EQ(Format::parse("65528x65528x").error(), (FormatError{FormatError::Kind::too_large, 6}));
}

TEST(StructsFormat, maximum_number_of_runs) {
    std::string text;
    for (std::size_t i = 0; i < limits::struct_runs_max; ++i) text += i % 2 == 0 ? "b" : "B";
    EXPECT_TRUE(Format::parse(text));
    EXPECT_TRUE(Format::parse(text + "B")) << "extends the last run";
    EXPECT_TRUE(Format::parse(text + "x0b"));
    EXPECT_EQ(Format::parse(text + "b").error(), (FormatError{FormatError::Kind::too_many_runs, text.size()}));
    EXPECT_EQ(Format::parse(text + "0s").error(), (FormatError{FormatError::Kind::too_many_runs, text.size()}));
}

}  // namespace
}  // namespace ringpost::structs
