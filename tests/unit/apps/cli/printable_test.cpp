#include "apps/cli/printable.hpp"

#include <gtest/gtest.h>

#include <string>

#include "apps/cli/report.hpp"
#include "codec/base/utf8.hpp"

namespace ringpost::apps {
namespace {

struct Row {
    std::string text, escaped, json;
};

const Row escaped_characters[] = {
    {std::string(1, '\0'), R"(\x00)", R"(\u0000)"},
    {"\t", R"(\x09)", R"(\u0009)"},
    {"\n", R"(\x0a)", R"(\u000a)"},
    {"\x1b", R"(\x1b)", R"(\u001b)"},
    {"\x1f", R"(\x1f)", R"(\u001f)"},
    {"\x7f", R"(\x7f)", R"(\u007f)"},
    {"\xc2\x80", R"(\xc2\x80)", R"(\u0080)"},
    {"\xc2\x9b", R"(\xc2\x9b)", R"(\u009b)"},
    {"\xc2\x9f", R"(\xc2\x9f)", R"(\u009f)"},
    {"\u061c", R"(\xd8\x9c)", R"(\u061c)"},
    {"\u200e", R"(\xe2\x80\x8e)", R"(\u200e)"},
    {"\u200f", R"(\xe2\x80\x8f)", R"(\u200f)"},
    {"\u2028", R"(\xe2\x80\xa8)", R"(\u2028)"},
    {"\u2029", R"(\xe2\x80\xa9)", R"(\u2029)"},
    {"\u202a", R"(\xe2\x80\xaa)", R"(\u202a)"},
    {"\u202e", R"(\xe2\x80\xae)", R"(\u202e)"},
    {"\u2066", R"(\xe2\x81\xa6)", R"(\u2066)"},
    {"\u2069", R"(\xe2\x81\xa9)", R"(\u2069)"},
};

const std::string printable_characters[] = {" ",      "~",      "\u00a0", "\u061b", "\u061d", "\u200d", "\u2010",
                                            "\u2027", "\u202f", "\u2065", "\u206a", "ü",      "€",      "\U0001f600"};

const Row not_utf8[] = {
    {"\x80", R"(\x80)", ""},
    {"\x9b"
     "31m",
     R"(\x9b31m)", ""},
    {"\xff", R"(\xff)", ""},
    {"\xc2", R"(\xc2)", ""},
    {"\xc2"
     "a",
     R"(\xc2a)", ""},
    {"\xc0\x9b", R"(\xc0\x9b)", ""},          // overlong ESC
    {"\xe2\x80", R"(\xe2\x80)", ""},          // cut off
    {"\xed\xa0\x80", R"(\xed\xa0\x80)", ""},  // a surrogate
    {"\xf4\x90\x80\x80", R"(\xf4\x90\x80\x80)", ""},
};

TEST(Printable, escapes_what_a_terminal_must_not_get) {
    for (const auto& [text, escaped, json] : escaped_characters) {
        EXPECT_EQ(printable_bytes(text), 0u) << escaped;
        EXPECT_EQ(printable("a" + text + "b"), "a" + escaped + "b");
        EXPECT_EQ(printable_line("a" + text + "b"), "a" + escaped + "b");
        EXPECT_EQ(printable_json("a" + text + "b"), "a" + json + "b");
    }
}

TEST(Printable, leaves_other_text_alone) {
    for (const std::string& text : printable_characters) {
        EXPECT_EQ(printable_bytes(text + "x"), text.size()) << text;
        EXPECT_EQ(printable(text), text);
        EXPECT_EQ(printable_line(text), text);
        EXPECT_EQ(printable_json(text), text);
    }
    EXPECT_EQ(printable(""), "");
}

TEST(Printable, escapes_bytes_that_are_not_utf8) {
    for (const auto& [text, escaped, json] : not_utf8) {
        EXPECT_EQ(printable_bytes(text), 0u) << escaped;
        EXPECT_EQ(printable(text), escaped);
        EXPECT_EQ(printable_line(text), escaped);
    }
}

TEST(Printable, escapes_backslashes_in_a_text_but_not_in_a_line) {
    EXPECT_EQ(printable(R"(\x1b\)"), R"(\x5cx1b\x5c)");
    EXPECT_EQ(printable_line(R"(\x1b\)"), R"(\x1b\)");
}

TEST(Printable, json_of_any_bytes_is_printable_and_parses_to_the_same_text) {
    for (const auto& [text, escaped, json] : escaped_characters) {
        const std::string line = printable_json(Json(text).dump());
        EXPECT_EQ(Json::parse(line).get<std::string>(), text) << line;
        EXPECT_EQ(printable_line(line), line);
    }
    for (const auto& [text, escaped, json] : not_utf8) {
        testing::internal::CaptureStdout();
        // Report writes to the descriptor, which the capture replaces.
        Report(Report::Form::json).event("message", {{"text", text}});
        const std::string line = testing::internal::GetCapturedStdout();
        EXPECT_TRUE(is_utf8(line)) << escaped;
        EXPECT_NE(Json::parse(line)["text"].get<std::string>().find("\ufffd"), std::string::npos) << line;
    }
}

}  // namespace
}  // namespace ringpost::apps
