#include "codec/traffic/scenario.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

Scenario scenario_of(std::string_view text) {
    auto scenario = Scenario::parse(lines_of(text));
    EXPECT_TRUE(scenario) << (scenario ? "" : scenario.error().word + ": " + scenario.error().reason);
    return scenario ? std::move(*scenario) : Scenario{};
}

/// What the only payload of `text` is with these values; `variables` are written one after the other.
std::string scenario_payload(std::string_view text, const std::vector<Bytes>& variables = {},
                             const PayloadValues& values = {}, std::uint64_t session = 0) {
    const Scenario scenario = scenario_of(text);
    Bytes memory(limits::scenario_variables_max * scenario_variable_stride);
    for (std::size_t i = 0; i < variables.size(); ++i) {
        memory[i * scenario_variable_stride] = static_cast<std::byte>(variables[i].size());
        std::ranges::copy(variables[i], memory.begin() + static_cast<std::ptrdiff_t>(i * scenario_variable_stride + 1));
    }
    Bytes out(scenario.bytes_max());
    const ScenarioStep* last = nullptr;
    for (const ScenarioStep& step : scenario.steps())
        if (step.kind == ScenarioStep::Kind::send) last = &step;
    const std::size_t size = scenario.payload_of(*last).write(out, values, session, memory.data());
    EXPECT_LE(size, scenario.bytes_max());
    return {reinterpret_cast<const char*>(out.data()), size};
}

std::string taken_from(const ScenarioTake& take, const Bytes& reply) {
    const auto value = take.find(reply);
    return value ? std::string(reinterpret_cast<const char*>(value->data()), value->size()) : "nothing";
}

ScenarioTake take_of(std::string_view form) {
    const std::string text = "send \"x\"\nexpect take v=" + std::string(form);
    return scenario_of(text).reply_of(scenario_of(text).steps()[1]).takes.front();
}

TEST(Scenario, has_a_step_for_each_line) {
    const Scenario scenario = scenario_of(
        "# a comment\n"
        "\n"
        "send \"a # b\"  # and one behind\n"
        "\texpect 0:1 \"c d\" 2:\"e\" within 1.5ms take t=3:4   take u=after \"x\" up to \"y\"\n"
        "expect echo\n"
        "wait 2s\n"
        "repeat 3\n"
        "  send hex \"ff 00\"\n"
        "  repeat 7 while t&0x8\n"
        "    send \"{t}\"\n"
        "  end\n"
        "end");
    using Kind = ScenarioStep::Kind;
    const Kind kinds[] = {Kind::send, Kind::expect, Kind::expect, Kind::wait, Kind::repeat,
                          Kind::send, Kind::repeat, Kind::send,   Kind::end,  Kind::end};
    const auto steps = scenario.steps();
    ASSERT_EQ(steps.size(), std::size(kinds));
    for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i].kind, kinds[i]) << i;
    EXPECT_EQ(steps[1].time, 1'500 * microsecond);
    EXPECT_EQ(steps[2].time, 0);
    EXPECT_EQ(steps[2].slot, 1);
    EXPECT_EQ(steps[3].time, 2 * second);
    EXPECT_EQ(steps[4].times, 3u);
    EXPECT_EQ(steps[4].index, 9);
    EXPECT_EQ(steps[9].index, 4);
    EXPECT_EQ(steps[6].depth, 1);
    EXPECT_EQ(steps[6].mask, 8u);
    EXPECT_EQ(steps[8].index, 6);
    const ScenarioReply& reply = scenario.reply_of(steps[1]);
    EXPECT_EQ(reply.match, MatchRule::parse("0:1"));
    EXPECT_EQ(reply.check.expectation().texts.size(), 1u);
    ASSERT_EQ(reply.check.expectation().parts.size(), 1u);
    EXPECT_EQ(reply.check.expectation().parts[0].offset, 2u);
    EXPECT_EQ(reply.takes.size(), 2u);
    EXPECT_EQ(scenario.variables().size(), 2u);
    ASSERT_EQ(scenario.rows().size(), 4u);
    EXPECT_EQ(scenario.rows()[0].line, 3u);
    EXPECT_EQ(scenario.rows()[0].text, "send \"a # b\"");
    EXPECT_EQ(scenario.rows()[1].line, 5u);
    EXPECT_EQ(scenario.rows()[3].text, "send \"{t}\"");
    EXPECT_EQ(scenario.waits(), 2 * second);
}

TEST(Scenario, waits_count_as_often_as_they_repeat) {
    EXPECT_EQ(scenario_of("repeat 3\nsend \"a\"\nwait 1s\nrepeat 2\nsend \"a\"\nwait 10ms\nend\nend").waits(),
              3 * second + 60 * millisecond);
    EXPECT_EQ(scenario_of("send \"a\"\nexpect take v=0:1\nrepeat 9 while v&1\nsend \"a\"\nwait 1s\nend").waits(),
              second);
    const std::string rounds = "repeat 1000000\nsend \"a\"\nwait 24h\n";
    EXPECT_LT(scenario_of(rounds + rounds + rounds + rounds + "end\nend\nend\nend").waits(), never);
}

TEST(Scenario, payloads_have_fields_and_variables) {
    const std::string taken = "send \"x\"\nexpect take v=0:9 take w=0:1\n";
    const std::vector<Bytes> values{bytes_from_hex("00000102030405060e"), bytes_of("\xff")};
    EXPECT_EQ(scenario_payload("send \"plain {{ \\\" \\x41\""), "plain { \" A");
    EXPECT_EQ(scenario_payload("send hex \"41 42\""), "AB");
    EXPECT_EQ(scenario_payload("send \"{seq}.{session}.{session:hex}\"", {}, {.sequence = 9, .in_flow = 5}, 77),
              "5.77.0000004d");
    EXPECT_EQ(scenario_payload(taken + "send \"<{w:hex}{v:hex}>\"", values), "<ff00000102030405060e>");
    EXPECT_EQ(scenario_payload(taken + "send \"{w}{w}\"", values), "\xff\xff");
    EXPECT_EQ(scenario_payload(taken + "send \"{w}\"", {Bytes{}, Bytes{}}), "") << "nothing was taken";
    EXPECT_EQ(scenario_payload(taken + "send \"{v:u16be}{v+8:u16be}{v+1:u8}{v+2:u32le}\"", values),
              std::string("\x06\x0e\x06\x16\x0f\x10\x06\x05\x04", 9));
    EXPECT_EQ(scenario_payload(taken + "send \"{w+1:u16le}{w+4294967295:u64be}\"", values),
              std::string("\x00\x01\x00\x00\x00\x01\x00\x00\x00\xfe", 10));
    const std::string random = scenario_payload(taken + "send \"{random:8}{w}{random:8}\"", values);
    EXPECT_NE(random.substr(0, 8), random.substr(9)) << "each field draws its own";
}

TEST(Scenario, sizes_include_the_most_that_any_line_takes) {
    const Scenario scenario = scenario_of("send \"abc\"\nexpect take v=0:2\nsend \"{v}{v:hex}\"\nexpect take v=0:7");
    EXPECT_EQ(scenario.bytes_min(), 0u);
    EXPECT_EQ(scenario.bytes_max(), 21u);
}

TEST(Scenario, takes_what_is_at_an_offset) {
    EXPECT_EQ(taken_from(take_of("2:3"), bytes_of("abcde")), "cde");
    EXPECT_EQ(taken_from(take_of("2:3"), bytes_of("abcd")), "nothing");
    EXPECT_EQ(taken_from(take_of("65506:1"), {}), "nothing");
}

TEST(Scenario, takes_what_is_between_texts) {
    EXPECT_EQ(taken_from(take_of("after \"t=\" up to \";\""), bytes_of("at=xt=;;")), "xt=");
    EXPECT_EQ(taken_from(take_of("after \"t=\" up to \";\""), bytes_of("t=;")), "");
    EXPECT_EQ(taken_from(take_of("after \"t=\" up to \";\""), bytes_of(";t=x")), "nothing");
    EXPECT_EQ(taken_from(take_of("after \"t=\" up to \";\""), bytes_of("t")), "nothing");
    EXPECT_EQ(taken_from(take_of("after \"t=\""), {}), "nothing");
    EXPECT_EQ(taken_from(take_of("after \"t=\""), bytes_of("t=to the end")), "to the end");
    EXPECT_EQ(taken_from(take_of("after \"t=\""), bytes_of("t=" + std::string(255, 'x'))), std::string(255, 'x'));
    EXPECT_EQ(taken_from(take_of("after \"t=\""), bytes_of("t=" + std::string(256, 'x'))), "nothing") << "too long";
}

TEST(Scenario, takes_an_option_of_coap) {
    const ScenarioTake block = take_of("coap:23"), size = take_of("coap:300");
    const std::string header =
        "54450001"
        "01020304";
    // ETag (4), Content-Format (12) of no bytes, Block2 (23), then an option with a delta of two bytes.
    const std::string options =
        "42abcd"
        "80"
        "b10e"
        "e20008"
        "aabb";
    const auto message = [](const std::string& hex) { return bytes_from_hex(hex); };
    EXPECT_EQ(taken_from(block, message(header + options +
                                        "ff"
                                        "7878")),
              "\x0e");
    EXPECT_EQ(taken_from(size, message(header + options)), "\xaa\xbb");
    EXPECT_EQ(taken_from(take_of("coap:12"), message(header + options)), "");
    EXPECT_EQ(taken_from(take_of("coap:5"), message(header + options)), "") << "is not there";
    EXPECT_EQ(taken_from(block, message(header)), "");
    EXPECT_EQ(taken_from(block, message(header + "ffb10e")), "") << "behind the marker is payload";
    EXPECT_EQ(taken_from(block, message(header + "dd0a00" + std::string(26, '7'))), std::string(13, 'w'));
    for (const std::string& broken : {std::string(""), std::string("544500"), std::string("94450001"),
                                      std::string("59450001"), header.substr(0, 14), header + "d1", header + "e100",
                                      header + "f1", header + "1f", header + "d20a00", header + "d10a"})
        EXPECT_EQ(taken_from(block, message(broken)), "nothing") << broken;
}

TEST(Scenario, times_have_units) {
    EXPECT_EQ(parse_scenario_time("1ns"), 1);
    EXPECT_EQ(parse_scenario_time("250us"), 250 * microsecond);
    EXPECT_EQ(parse_scenario_time("1.5ms"), 1'500 * microsecond);
    EXPECT_EQ(parse_scenario_time("0.25s"), 250 * millisecond);
    EXPECT_EQ(parse_scenario_time("2m"), 120 * second);
    EXPECT_EQ(parse_scenario_time("24h"), 86'400 * second);
    for (const char* wrong : {"", "1", "s", ".5s", "1.s", "1..5s", "0s", "0.0s", "1.5ns", "-1s", "1 s", "25h",
                              "99999999999999999999s", "1S", "1e3s"})
        EXPECT_FALSE(parse_scenario_time(wrong)) << wrong;
}

TEST(Scenario, errors_name_line_word_and_reason) {
    std::string many_sends, many_variables = "send \"x\"\n", many_steps;
    for (int i = 0; i < 65; ++i) many_sends += "send \"x\"\n";
    for (int i = 0; i < 17; ++i)
        many_variables += (i % 4 == 0 ? "send \"x\"\nexpect take a" : "expect take a") + std::to_string(i) + "=0:1\n";
    for (int i = 0; i < 1'025; ++i) many_steps += "wait 1s\n";
    const std::string taken = "send \"x\"\nexpect take v=0:255\n";
    const struct {
        std::string text;
        std::size_t line;
        std::string word, reason;
    } cases[] = {
        {"", 0, "", "sends nothing"},
        {"wait 1s", 0, "", "sends nothing"},
        {"\nsned \"x\"", 2, "sned", "expected send, expect, wait"},
        {"send", 1, "", "double quotes"},
        {"send x", 1, "x", "double quotes"},
        {"send \"x\"y", 1, "\"x\"y", "double quotes"},
        {"send \"x\"\"y\"", 1, "\"x\"\"y\"", "double quotes"},
        {"send \"x", 1, "\"x", "no end"},
        {"send \"x\\\"", 1, "\"x\\\"", "no end"},
        {"send \"\"", 1, "\"\"", "empty"},
        {"send hex \"\"", 1, "\"\"", "empty"},
        {"send hex \"0g\"", 1, "\"0g\"", "character 1: expected two hex digits"},
        {"send \"ab\\q\"", 1, "\"ab\\q\"", "character 3: \\ must be"},
        {"send \"ab{seq:u9}\"", 1, "\"ab{seq:u9}\"", "character 3: widths"},
        {"send \"ab{\"", 1, "\"ab{\"", "character 3: { without"},
        {"send \"ab{token}\"", 1, "\"ab{token}\"", "character 3: {token} is neither"},
        {"send \"{session:u9}\"", 1, "\"{session:u9}\"", "character 1: widths"},
        {taken + "send \"{v:u9}\"", 3, "\"{v:u9}\"", "character 1: expected {NAME}"},
        {taken + "send \"{v+:u8}\"", 3, "\"{v+:u8}\"", "character 1: expected {NAME}"},
        {taken + "send \"{v+4294967296:u8}\"", 3, "\"{v+4294967296:u8}\"", "expected {NAME}"},
        {taken + "send \"{v+1}\"", 3, "\"{v+1}\"", "expected {NAME}"},
        {taken + "send \"{v:hex}{random:65000}\"", 3, "\"{v:hex}{random:65000}\"", "may have more than the 65507"},
        {"send \"x\" y", 1, "y", "one word too many"},
        {"expect \"x\"", 1, "expect", "on the line above"},
        {"send \"x\"\nwait 1s\nexpect \"x\"", 3, "expect", "on the line above"},
        {"send \"x\"\nexpect x", 2, "x", "expected \"TEXT\""},
        {"send \"x\"\nexpect 1\"x\"", 2, "1\"x\"", "expected \"TEXT\""},
        {"send \"x\"\nexpect :\"x\"", 2, ":\"x\"", "expected \"TEXT\""},
        {"send \"x\"\nexpect \"{seq}\"", 2, "\"{seq}\"", "for send"},
        {"send \"x\"\nexpect \"\"", 2, "\"\"", "an empty text"},
        {"send \"x\"\nexpect 65507:\"x\"", 2, "65507:\"x\"", "outside"},
        {"send \"x\"\nexpect order", 2, "order", "leave it out"},
        {"send \"x\"\nexpect 0:2", 2, "0:2", "outside a payload of 1 bytes"},
        {"send \"x\"\nexpect echo 0:1", 2, "0:1", "second rule"},
        {"send \"x\"\nexpect within", 2, "", "expected a time"},
        {"send \"x\"\nexpect within 0s", 2, "0s", "expected a time"},
        {"send \"x\"\nexpect within 1s within 2s", 2, "within", "twice"},
        {"send \"x\"\nexpect take", 2, "", "NAME=PLACE"},
        {"send \"x\"\nexpect take v", 2, "v", "NAME=PLACE"},
        {"send \"x\"\nexpect take seq=0:1", 2, "seq=0:1", "NAME=PLACE"},
        {"send \"x\"\nexpect take 1v=0:1", 2, "1v=0:1", "NAME=PLACE"},
        {"send \"x\"\nexpect take v=", 2, "v=", "OFFSET:LEN"},
        {"send \"x\"\nexpect take v=0:0", 2, "v=0:0", "OFFSET:LEN"},
        {"send \"x\"\nexpect take v=0:256", 2, "v=0:256", "OFFSET:LEN"},
        {"send \"x\"\nexpect take v=70000:1", 2, "v=70000:1", "OFFSET:LEN"},
        {"send \"x\"\nexpect take v=coap:0", 2, "v=coap:0", "coap:OPTION"},
        {"send \"x\"\nexpect take v=coap:70000", 2, "v=coap:70000", "coap:OPTION"},
        {"send \"x\"\nexpect take v=after", 2, "", "double quotes"},
        {"send \"x\"\nexpect take v=after x", 2, "x", "double quotes"},
        {"send \"x\"\nexpect take v=after \"x\" up \"y\"", 2, "\"y\"", "up to"},
        {"send \"x\"\nexpect take v=after \"x\" up to y", 2, "y", "double quotes"},
        {"send \"x\"\nexpect\nexpect\nexpect\nexpect\nexpect", 6, "expect", "more than 4 replies"},
        {"wait", 1, "", "expected a time"},
        {"wait 5", 1, "5", "expected a time"},
        {"wait 5s 6s", 1, "6s", "one word too many"},
        {"repeat", 1, "", "how often"},
        {"repeat 0", 1, "0", "how often"},
        {"repeat 1000001", 1, "1000001", "how often"},
        {"repeat 2 3", 1, "3", "one word too many"},
        {"repeat 2 while v&1", 1, "v&1", "taken on a line above"},
        {taken + "repeat 2 while v&0", 3, "v&0", "a number above 0"},
        {taken + "repeat 2 while v&0x", 3, "v&0x", "a number above 0"},
        {taken + "repeat 2 while v", 3, "v", "a number above 0"},
        {"repeat 2\nsend \"x\"", 1, "repeat", "has no end"},
        {"end", 1, "end", "no repeat"},
        {"repeat 2\nend now", 2, "now", "one word too many"},
        {"repeat 2\nwait 1s\nend", 3, "end", "no send of its own"},
        {taken + "repeat 2\nrepeat 2 while v&1\nsend \"x\"\nend\nend", 7, "end", "line 3 has no send of its own"},
        {"repeat 2\nrepeat 2\nrepeat 2\nrepeat 2\nrepeat 2", 5, "repeat", "more than 4"},
        {many_sends, 65, "send", "more than 64"},
        {many_variables, 23, "a16=0:1", "more than 16 variables"},
        {many_steps, 1'025, "wait", "more than 1024"},
    };
    for (const auto& expected : cases) {
        const auto scenario = Scenario::parse(lines_of(expected.text));
        ASSERT_FALSE(scenario) << expected.text;
        EXPECT_EQ(scenario.error().line, expected.line) << expected.text;
        EXPECT_EQ(scenario.error().word, expected.word) << expected.text;
        EXPECT_NE(scenario.error().reason.find(expected.reason), std::string::npos)
            << expected.text << ": " << scenario.error().reason;
    }
}

}  // namespace
}  // namespace ringpost::traffic
