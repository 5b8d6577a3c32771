#include "codec/base/utf8.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace ringpost {
namespace {

TEST(Utf8, examples) {
    using namespace std::string_view_literals;
    const struct {
        std::string_view text;
        bool good;
    } table[] = {
        {"", true},
        {"plain\x7f", true},
        {"\0"sv, true},
        {"\xc2\x80 \xdf\xbf", true},                  // U+0080, U+07FF
        {"\xe0\xa0\x80 \xef\xbf\xbf", true},          // U+0800, U+FFFF
        {"\xed\x9f\xbf \xee\x80\x80", true},          // adjacent to the surrogates
        {"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", true},  // U+10000, U+10FFFF
        {"\x80", false},                              // a continuation byte alone
        {"\xbf", false},
        {"a\xc2", false},  // truncated
        {"\xe2\x82", false},
        {"\xf0\x9f\x98", false},
        {"\xe2", false},
        {"\xc2 ", false},  // interrupted
        {"\xe2\x82 ", false},
        {"\xf0\x9f\x98 ", false},
        {"\xc2\xc2\x80", false},
        {"\xc0\x80", false},  // overlong
        {"\xc1\xbf", false},
        {"\xe0\x80\x80", false},
        {"\xe0\x9f\xbf", false},
        {"\xf0\x80\x80\x80", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xed\xa0\x80", false},  // surrogates
        {"\xed\xbf\xbf", false},
        {"\xf4\x90\x80\x80", false},  // past U+10FFFF
        {"\xf5\x80\x80\x80", false},
        {"\xf8\x88\x80\x80\x80", false},  // five and six bytes
        {"\xfc\x84\x80\x80\x80\x80", false},
        {"\xfe", false},
        {"\xff", false},
    };
    for (const auto& [text, good] : table) {
        EXPECT_EQ(is_utf8(text), good) << testing::PrintToString(text);
        // At every position among the eight bytes that are tested at once.
        for (std::size_t before = 1; before < 10; ++before)
            for (const std::size_t after : {1, 7, 8, 20})
                EXPECT_EQ(is_utf8(std::string(before, 'x') + std::string(text) + std::string(after, 'y')), good)
                    << testing::PrintToString(text);
    }
}

TEST(Utf8, every_code_point_and_no_truncation_of_it) {
    for (std::uint32_t point = 0; point < 0x110000; point += point < 0x11000 ? 1 : 37) {
        std::string text;
        const auto tail = [&](unsigned shift) { text += static_cast<char>(0x80 | (point >> shift & 0x3f)); };
        if (point < 0x80)
            text += static_cast<char>(point);
        else if (point < 0x800)
            text += static_cast<char>(0xc0 | point >> 6), tail(0);
        else if (point < 0x10000)
            text += static_cast<char>(0xe0 | point >> 12), tail(6), tail(0);
        else
            text += static_cast<char>(0xf0 | point >> 18), tail(12), tail(6), tail(0);
        ASSERT_EQ(is_utf8(text), point < 0xd800 || point > 0xdfff) << std::hex << point;
        for (std::size_t cut = 1; cut < text.size(); ++cut) {
            ASSERT_FALSE(is_utf8(text.substr(0, cut))) << std::hex << point;
            ASSERT_FALSE(is_utf8(text.substr(cut))) << std::hex << point;
        }
    }
}

}  // namespace
}  // namespace ringpost
