#include "codec/traffic/scenario_runner.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

constexpr Instant scenario_start = 5 * second;

const char* const login_scenario =
    "send \"LOGIN {session}\"\n"
    "expect take token=after \"OK \"\n"
    "send \"GET {token}\"\n"
    "expect \"VALUE\"";

class ScenarioRunnerTest : public testing::Test {
  protected:
    ScenarioRunner& run(std::string_view text, ScenarioOptions options = {}) {
        std::vector<std::string_view> lines;
        for (std::size_t begin = 0; begin <= text.size();) {
            const std::size_t end = std::min(text.find('\n', begin), text.size());
            lines.push_back(text.substr(begin, end - begin));
            begin = end + 1;
        }
        auto parsed = Scenario::parse(lines);
        EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().reason);
        scenario = std::move(*parsed);
        options.scenario = &scenario;
        options.start = scenario_start;
        options.timeout = 10 * millisecond;
        return runner.emplace(options);
    }

    /// All datagrams sent at `now`: `SOCKET:TEXT`, separated by spaces.
    std::string sent(Instant now) {
        if (const auto at = runner->poll_timeout(); at && *at <= now) runner->handle_timeout(now);
        std::string out;
        for (const Sent& each : outbox.drain(*runner, now)) {
            if (!out.empty()) out += ' ';
            out += std::to_string(each.transmit.socket) + ":" +
                   std::string(reinterpret_cast<const char*>(each.bytes.data()), each.bytes.size());
        }
        return out;
    }
    void reply(Instant now, std::string_view text, SocketIndex socket = 0) {
        runner->handle(now, {{}, socket, std::as_bytes(std::span(text))});
    }

    Scenario scenario;
    std::optional<ScenarioRunner> runner;
    Outbox outbox;
};

TEST_F(ScenarioRunnerTest, takes_variables_from_one_step_to_the_next) {
    run(login_scenario, {.count = 2});
    EXPECT_EQ(sent(scenario_start - 1), "");
    EXPECT_EQ(sent(scenario_start), "0:LOGIN 0");
    EXPECT_EQ(sent(scenario_start + 1), "") << "one session at a time";
    reply(scenario_start + 100, "OK abc");
    EXPECT_EQ(sent(scenario_start + 100), "0:GET abc");
    reply(scenario_start + 150, "a VALUE");
    EXPECT_EQ(sent(scenario_start + 150), "0:LOGIN 1");
    reply(scenario_start + 160, "OK ");
    EXPECT_EQ(sent(scenario_start + 160), "0:GET ") << "variables are those of this session";
    reply(scenario_start + 170, "VALUE");
    EXPECT_TRUE(runner->finished(scenario_start + 170));
    const ScenarioCounters& counts = runner->counters();
    EXPECT_EQ(counts.sessions, 2u);
    EXPECT_EQ(counts.completed, 2u);
    EXPECT_EQ(counts.lost(), 0u);
    EXPECT_EQ(counts.datagrams_sent, 4u);
    EXPECT_EQ(counts.datagrams_received, 4u);
    EXPECT_EQ(runner->response().max(), 150);
    EXPECT_EQ(runner->response().min(), 20);
    EXPECT_EQ(runner->rows()[0].sent, 2u);
    EXPECT_EQ(runner->rows()[1].answered, 2u);
    EXPECT_EQ(runner->row_times()[0].max(), 100);
    EXPECT_EQ(runner->row_times()[1].max(), 50);
    EXPECT_EQ(runner->row_times()[1].min(), 10);
}

TEST_F(ScenarioRunnerTest, a_step_is_due_when_the_reply_before_it_arrived_or_a_wait_ends) {
    run("send \"a\"\nexpect\nwait 1ms\nwait 2ms\nsend \"b\"\nexpect", {.rate_per_s = 1, .count = 1});
    EXPECT_EQ(sent(scenario_start + 30), "0:a");
    reply(scenario_start + 100, "x");
    EXPECT_EQ(sent(scenario_start + 100), "");
    const Instant due = scenario_start + 100 + 3 * millisecond;
    EXPECT_EQ(runner->poll_timeout(), scenario_start + 100 + millisecond);
    EXPECT_EQ(sent(scenario_start + 100 + millisecond), "");
    EXPECT_EQ(runner->poll_timeout(), due);
    EXPECT_EQ(sent(due + 500), "0:b") << "late";
    reply(due + 700, "x");
    EXPECT_EQ(runner->row_times()[0].max(), 100);
    EXPECT_EQ(runner->row_times()[1].max(), 700) << "from when it was due";
    EXPECT_EQ(runner->response().max(), due + 700 - scenario_start);
    EXPECT_EQ(runner->service().max(), due + 700 - scenario_start - 30 - 500) << "without the sender's own lateness";
    EXPECT_EQ(runner->slip().max(), 30);
}

TEST_F(ScenarioRunnerTest, waits_that_a_stall_has_passed_do_not_wait) {
    run("wait 1ms\nwait 1ms\nsend \"a\"\nexpect", {.rate_per_s = 1, .count = 1});
    EXPECT_EQ(sent(scenario_start), "");
    EXPECT_EQ(sent(scenario_start + 5 * millisecond), "0:a");
    reply(scenario_start + 6 * millisecond, "x");
    EXPECT_EQ(runner->row_times()[0].max(), 4 * millisecond);
    EXPECT_EQ(runner->service().max(), 3 * millisecond) << "two of waiting, one of the server";
}

TEST_F(ScenarioRunnerTest, sends_without_replies_follow_each_other) {
    run("send \"a\"\nsend \"b\"\nwait 1ms\nsend \"c\"", {.rate_per_s = 100, .count = 1});
    EXPECT_EQ(sent(scenario_start + 10), "0:a 0:b");
    EXPECT_EQ(sent(scenario_start + millisecond), "0:c") << "after when they were due";
    EXPECT_EQ(runner->counters().completed, 1u);
    EXPECT_EQ(runner->service().max(), millisecond);
    EXPECT_EQ(runner->row_times()[0].count(), 0u);
    EXPECT_TRUE(runner->finished(scenario_start + millisecond));
}

TEST_F(ScenarioRunnerTest, an_open_loop_begins_sessions_when_due) {
    run(login_scenario, {.rate_per_s = 1e6, .count = 3, .flows = 4});
    EXPECT_EQ(sent(scenario_start + 2 * microsecond), "0:LOGIN 0 1:LOGIN 1 2:LOGIN 2");
    EXPECT_FALSE(runner->begins(scenario_start + 3 * microsecond)) << "the count";
    reply(scenario_start + 2 * microsecond, "OK b", 1);
    EXPECT_EQ(sent(scenario_start + 2 * microsecond), "1:GET b");
    reply(scenario_start + 3 * microsecond, "VALUE", 1);
    EXPECT_EQ(runner->response().max(), 2 * microsecond) << "due after one microsecond";
    EXPECT_FALSE(runner->finished(scenario_start + 3 * microsecond));
    EXPECT_EQ(runner->active(), 2u);
}

TEST_F(ScenarioRunnerTest, a_session_waits_for_a_free_flow_and_is_measured_from_when_it_was_due) {
    run("send \"a\"\nexpect", {.rate_per_s = 1e6, .count = 3, .flows = 1});
    EXPECT_EQ(sent(scenario_start + 2 * microsecond), "0:a");
    reply(scenario_start + 10 * microsecond, "x");
    EXPECT_EQ(sent(scenario_start + 10 * microsecond), "0:a");
    reply(scenario_start + 11 * microsecond, "x");
    EXPECT_EQ(sent(scenario_start + 11 * microsecond), "0:a");
    reply(scenario_start + 20 * microsecond, "x");
    EXPECT_EQ(runner->counters().waited, 2u);
    EXPECT_EQ(runner->response().max(), 18 * microsecond);
    EXPECT_EQ(runner->slip().max(), 9 * microsecond);
    EXPECT_EQ(runner->service().max(), 9 * microsecond);
    EXPECT_TRUE(runner->finished(scenario_start + 20 * microsecond));
}

TEST_F(ScenarioRunnerTest, a_missing_reply_fails_the_session_and_its_flow_rests) {
    run("send \"a\"\nexpect\nsend \"b\"\nexpect within 3ms", {.count = 2, .flows = 2});
    EXPECT_EQ(sent(scenario_start), "0:a");
    reply(scenario_start + millisecond, "x");
    EXPECT_EQ(sent(scenario_start + millisecond), "0:b");
    EXPECT_EQ(runner->poll_timeout(), scenario_start + 4 * millisecond);
    EXPECT_EQ(sent(scenario_start + 4 * millisecond), "1:a") << "another flow";
    EXPECT_EQ(runner->counters().timed_out, 1u);
    EXPECT_EQ(runner->rows()[1].timed_out, 1u);
    EXPECT_EQ(runner->counters().lost(), 2u) << "with the one that runs";
    reply(scenario_start + 5 * millisecond, "x", 0);
    EXPECT_EQ(runner->counters().late, 1u);
    reply(scenario_start + 5 * millisecond, "x", 1);
    EXPECT_EQ(sent(scenario_start + 5 * millisecond), "1:b");
    reply(scenario_start + 6 * millisecond, "x", 1);
    EXPECT_TRUE(runner->finished(scenario_start + 6 * millisecond)) << "no rest is waited for";
    EXPECT_EQ(runner->counters().completed, 1u);
}

TEST_F(ScenarioRunnerTest, a_flow_that_rests_is_used_again_after_twice_the_timeout) {
    run("send \"a\"\nexpect within 3ms", {.flows = 1});
    EXPECT_EQ(sent(scenario_start), "0:a");
    EXPECT_EQ(sent(scenario_start + 3 * millisecond), "");
    EXPECT_EQ(runner->poll_timeout(), scenario_start + 9 * millisecond);
    EXPECT_EQ(sent(scenario_start + 9 * millisecond - 1), "");
    EXPECT_EQ(sent(scenario_start + 9 * millisecond), "0:a");
}

TEST_F(ScenarioRunnerTest, a_wrong_reply_fails_the_session) {
    run("send \"a\"\nexpect 1:\"b\" \"c\" take v=4:1\nsend \"{v}\"\nexpect", {.count = 6, .flows = 6});
    const char* const wrong[] = {"ab", "xcb", "", "abc", "abcd"};
    Instant now = scenario_start;
    for (SocketIndex socket = 0; socket < std::size(wrong); ++socket, now += microsecond) {
        EXPECT_EQ(sent(now), std::to_string(socket) + ":a");
        reply(now, wrong[socket], socket);
        EXPECT_EQ(runner->counters().wrong, socket + 1u);
        EXPECT_EQ(runner->rows()[0].wrong, socket + 1u);
    }
    EXPECT_EQ(sent(now), "5:a");
    reply(now, "abcde", 5);
    EXPECT_EQ(sent(now), "5:e");
    EXPECT_EQ(runner->rows()[0].answered, 1u);
    EXPECT_EQ(runner->row_times()[0].count(), 1u) << "a wrong reply is in no percentile";
}

TEST_F(ScenarioRunnerTest, a_rule_selects_the_reply_and_others_are_ignored) {
    run("send \"{seq:u8}ab\"\nexpect 0:1@2 \"ok\"\nsend \"{seq:u8}cd\"\nexpect echo", {.count = 1});
    EXPECT_EQ(sent(scenario_start), std::string("0:\0ab", 5));
    reply(scenario_start + 1, std::string_view("ok\1", 3));
    reply(scenario_start + 1, "ok");
    EXPECT_EQ(runner->counters().foreign, 2u);
    reply(scenario_start + 2, std::string_view("ok\0", 3));
    EXPECT_EQ(sent(scenario_start + 2), "0:\1cd");
    reply(scenario_start + 3, std::string_view("\0ab", 3));
    reply(scenario_start + 3, "\1ce");
    EXPECT_EQ(runner->counters().foreign, 4u);
    reply(scenario_start + 4, "\1cd");
    EXPECT_EQ(runner->counters().completed, 1u);
    EXPECT_EQ(runner->counters().wrong, 0u);
}

TEST_F(ScenarioRunnerTest, one_send_may_have_several_replies) {
    run("send \"ab\"\nexpect 0:1 take v=1:1\nexpect 1:1@0 within 2ms\nsend \"{v}\"\nexpect", {.count = 1});
    EXPECT_EQ(sent(scenario_start), "0:ab");
    reply(scenario_start + 5, "a1");
    EXPECT_EQ(sent(scenario_start + 5), "");
    EXPECT_EQ(runner->poll_timeout(), scenario_start + 5 + 2 * millisecond) << "from the first reply";
    reply(scenario_start + 8, "b");
    EXPECT_EQ(sent(scenario_start + 8), "0:1");
    EXPECT_EQ(runner->rows()[1].sent, 1u);
    EXPECT_EQ(runner->rows()[1].answered, 1u);
    EXPECT_EQ(runner->row_times()[1].max(), 3);
}

TEST_F(ScenarioRunnerTest, repeats_nest) {
    run("repeat 2\nsend \"a\"\nexpect\nrepeat 3\nsend \"b\"\nend\nend\nsend \"c\"", {.count = 1});
    EXPECT_EQ(sent(scenario_start), "0:a");
    reply(scenario_start + 1, "x");
    EXPECT_EQ(sent(scenario_start + 1), "0:b 0:b 0:b 0:a");
    reply(scenario_start + 2, "x");
    EXPECT_EQ(sent(scenario_start + 2), "0:b 0:b 0:b 0:c");
    EXPECT_EQ(runner->counters().completed, 1u);
    EXPECT_EQ(runner->rows()[1].sent, 6u);
}

const char* const blocks_scenario =
    "send \"first\"\n"
    "expect take block=0:1\n"
    "repeat 3 while block&8\n"
    "  send \"{block+8:u8}\"\n"
    "  expect take block=0:1\n"
    "end\n"
    "send \"done\"";

TEST_F(ScenarioRunnerTest, repeats_while_a_bit_is_set) {
    run(blocks_scenario, {.count = 2});
    EXPECT_EQ(sent(scenario_start), "0:first");
    reply(scenario_start, "\x09");
    EXPECT_EQ(sent(scenario_start), "0:\x11");
    reply(scenario_start, "\x19");
    EXPECT_EQ(sent(scenario_start), "0:\x21");
    reply(scenario_start, "\x21");
    EXPECT_EQ(sent(scenario_start), "0:done 0:first");
    reply(scenario_start, "\x01");
    EXPECT_EQ(sent(scenario_start), "0:done") << "not even once";
    EXPECT_EQ(runner->counters().completed, 2u);
}

TEST_F(ScenarioRunnerTest, a_repeat_that_does_not_end_fails_the_session) {
    run(blocks_scenario, {.count = 2});
    EXPECT_EQ(sent(scenario_start), "0:first");
    for (const char* const next : {"0:\x11", "0:\x11", "0:\x11", "0:first"}) {
        reply(scenario_start, "\x09");
        EXPECT_EQ(sent(scenario_start), next);
    }
    EXPECT_EQ(runner->counters().unended, 1u);
    EXPECT_EQ(runner->counters().wrong + runner->counters().timed_out, 0u);
    EXPECT_EQ(runner->active(), 1u) << "the next, on the same flow: no reply is missing";
}

TEST_F(ScenarioRunnerTest, replies_that_nothing_waits_for_are_counted) {
    run("send \"a\"\nexpect\nwait 1ms\nsend \"b\"", {.count = 1, .flows = 2, .first_socket = 3});
    reply(scenario_start, "x", 3);
    EXPECT_EQ(sent(scenario_start), "3:a");
    reply(scenario_start + 1, "x", 4);
    reply(scenario_start + 1, "x", 2);
    reply(scenario_start + 1, "x", 5);
    reply(scenario_start + 1, "x", 3);
    reply(scenario_start + 2, "x", 3);
    EXPECT_EQ(runner->counters().surplus, 3u) << "before the first, on a free flow, and during the wait";
    EXPECT_EQ(runner->counters().foreign, 2u) << "of no flow";
    EXPECT_EQ(runner->counters().datagrams_received, 6u);
    EXPECT_EQ(sent(scenario_start + millisecond + 1), "3:b");
}

TEST_F(ScenarioRunnerTest, sessions_of_the_warm_up_are_not_counted) {
    run("send \"a\"\nexpect", {.rate_per_s = 1'000, .warm_up = 2 * millisecond, .count = 1, .flows = 4});
    EXPECT_EQ(sent(scenario_start), "0:a");
    EXPECT_EQ(sent(scenario_start + millisecond), "1:a");
    reply(scenario_start + millisecond, "x", 0);
    EXPECT_EQ(sent(scenario_start + 2 * millisecond), "2:a");
    EXPECT_EQ(sent(scenario_start + 3 * millisecond), "");
    reply(scenario_start + 3 * millisecond, "x", 1);
    reply(scenario_start + 3 * millisecond, "x", 2);
    EXPECT_EQ(runner->counters().sessions, 1u);
    EXPECT_EQ(runner->counters().completed, 1u);
    EXPECT_EQ(runner->rows()[0].sent, 1u);
    EXPECT_EQ(runner->response().count(), 1u);
    EXPECT_EQ(runner->counters().datagrams_sent, 3u);
}

TEST_F(ScenarioRunnerTest, sessions_due_when_the_run_ends_are_unsent) {
    run("send \"a\"\nexpect", {.rate_per_s = 1'000, .stop = scenario_start + 10 * millisecond, .flows = 2});
    EXPECT_EQ(sent(scenario_start + 9 * millisecond), "0:a 1:a");
    EXPECT_TRUE(runner->begins(scenario_start + 10 * millisecond)) << "those that a stall delayed";
    EXPECT_FALSE(runner->begins(scenario_start + 11 * millisecond));
    EXPECT_EQ(runner->unsent(), 8u);
    EXPECT_FALSE(runner->finished(scenario_start + 11 * millisecond));
    reply(scenario_start + 12 * millisecond, "x", 0);
    reply(scenario_start + 12 * millisecond, "x", 1);
    EXPECT_EQ(sent(scenario_start + 12 * millisecond), "");
    EXPECT_TRUE(runner->finished(scenario_start + 12 * millisecond));
    EXPECT_FALSE(runner->poll_timeout());
}

TEST_F(ScenarioRunnerTest, can_be_postponed_and_shares_a_schedule) {
    run("send \"{session}\"\nexpect", {.rate_per_s = 1e6, .share_index = 1, .share_of = 2, .count = 2, .flows = 2});
    runner->postpone(second);
    EXPECT_EQ(runner->poll_timeout(), scenario_start + second + microsecond);
    EXPECT_EQ(sent(scenario_start + second), "");
    EXPECT_EQ(sent(scenario_start + second + 3 * microsecond), "0:1 1:3") << "the numbers of all engines together";
}

TEST_F(ScenarioRunnerTest, a_window_bounds_the_sessions_of_a_closed_loop) {
    run("send \"a\"\nexpect", {.window = 2, .count = 5, .flows = 4});
    EXPECT_EQ(sent(scenario_start), "0:a 1:a");
    reply(scenario_start + 5, "x", 1);
    EXPECT_EQ(sent(scenario_start + 5), "2:a") << "the flow that was free for longest";
    EXPECT_EQ(sent(scenario_start + 10 * millisecond), "3:a") << "in place of the one that failed";
    EXPECT_EQ(runner->active(), 2u);
    EXPECT_EQ(runner->slip().count() + runner->service().count(), 0u);
}

}  // namespace
}  // namespace ringpost::traffic
