#include "apps/commands/node_names.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace ringpost::apps {
namespace {

std::string reason_against(const std::string& name) {
    try {
        return parse_device_name(name) == name ? "" : "changed";
    } catch (const std::invalid_argument& reason) {
        return reason.what();
    }
}

TEST(NodeNames, that_the_console_could_not_use_are_refused) {
    for (const char* name : {"panel", "a-b_c.d", "!x", "a*", "grün", "\xf0\x9f\x91\xa8garage"})
        EXPECT_EQ(reason_against(name), "") << name;
    EXPECT_EQ(reason_against(""), "is empty");
    EXPECT_EQ(reason_against("*"), "stands for all devices");
    EXPECT_EQ(reason_against("a b"), "contains a space, which ends a name in commands");
    EXPECT_EQ(reason_against(" "), "contains a space, which ends a name in commands");
    EXPECT_EQ(reason_against("a,b"), "contains a comma, which separates names in commands");
    for (const char* name : {"a\nb", "a\tb", "\x1b[31m", "a\\b", "a\"b", "a\x7f",
                             "\xe2\x80\xae"
                             "a",
                             "\xc2\x85"})
        EXPECT_EQ(reason_against(name), "contains a control character, a quote or a backslash") << name;
    EXPECT_EQ(reason_against("\xff"), "is not UTF-8");
    EXPECT_EQ(reason_against("a:,:b"), "contains `:,:` or `/EOL`");
    EXPECT_EQ(reason_against("a/EOL"), "contains `:,:` or `/EOL`");
    EXPECT_EQ(reason_against("PiNg"), "is a frame of the protocol");
    EXPECT_EQ(reason_against(std::string(248, 'a')), "");
    EXPECT_EQ(reason_against(std::string(249, 'a')), "is longer than 248 bytes");
}

TEST(NodeNames, that_are_shown_can_be_typed) {
    for (const char* name : {"panel", "a b", "a,b", "*", "a\"b", "\"", "a\\b", "a\nb", "\x1b[31m", "a \x1b,\"b", "grün",
                             "\xff", "\\x41", " ", ","}) {
        for (const Addressees addressees : {Addressees::one, Addressees::list}) {
            const auto parsed = parse_addressed(shown_name(name) + " some text", addressees);
            ASSERT_TRUE(parsed) << name;
            EXPECT_FALSE(parsed->all) << name;
            EXPECT_EQ(parsed->names, std::vector<std::string>{name});
            EXPECT_EQ(parsed->text, "some text");
        }
    }
    EXPECT_EQ(shown_name("a b"), "\"a b\"");
    EXPECT_EQ(shown_name("*"), "\"*\"");
    EXPECT_EQ(shown_name("panel"), "panel");
}

TEST(NodeNames, lists) {
    const auto names = [](const char* rest) { return parse_addressed(rest, Addressees::list)->names; };
    EXPECT_EQ(names("a,b text"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(names("a,\"b c\",\"d,e\" text"), (std::vector<std::string>{"a", "b c", "d,e"}));
    EXPECT_EQ(names("a,,b text"), (std::vector<std::string>{"a", "b"}));
    EXPECT_TRUE(parse_addressed("* text", Addressees::list)->all);
    EXPECT_EQ(parse_addressed("a,b text", Addressees::one)->names, std::vector<std::string>{"a,b"});
    EXPECT_EQ(parse_addressed("a ", Addressees::one)->text, "");
    for (const char* rest : {"a", "", "*", "\"a text", "\"a\"text", "a,\"b text"})
        EXPECT_FALSE(parse_addressed(rest, Addressees::list)) << rest;
}

}  // namespace
}  // namespace ringpost::apps
