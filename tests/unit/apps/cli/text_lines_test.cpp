#include "apps/cli/text_lines.hpp"

#include <gtest/gtest.h>

namespace ringpost::apps {
namespace {

using Lines = std::vector<std::string_view>;

TEST(TextLines, of_any_editor) {
    EXPECT_EQ(text_lines("a\nb\n"), (Lines{"a", "b"}));
    EXPECT_EQ(text_lines("a\r\nb\r\n"), (Lines{"a", "b"}));
    EXPECT_EQ(text_lines("a\nb"), (Lines{"a", "b"}));
    EXPECT_EQ(text_lines("\xef\xbb\xbf"
                         "a\r\n\r\nb\r"),
              (Lines{"a", "", "b"}));
    EXPECT_EQ(text_lines(""), Lines{});
    EXPECT_EQ(text_lines("\xef\xbb\xbf"), Lines{});
    EXPECT_EQ(text_lines("a\rb"), (Lines{"a\rb"}));
    EXPECT_EQ(text_lines("a\xef\xbb\xbf\n"), (Lines{"a\xef\xbb\xbf"})) << "a mark elsewhere is text";
}

TEST(TextLines, refuses_utf_16) {
    EXPECT_EQ(text_lines(std::string_view("\xff\xfe"
                                          "a\0",
                                          4))
                  .error(),
              "is UTF-16, expected UTF-8");
    EXPECT_EQ(text_lines(std::string_view("\xfe\xff\0a", 4)).error(), "is UTF-16, expected UTF-8");
}

TEST(TextLines, trimmed) {
    EXPECT_EQ(trimmed(" \t a b \t"), "a b");
    EXPECT_EQ(trimmed(" "), "");
}

}  // namespace
}  // namespace ringpost::apps
