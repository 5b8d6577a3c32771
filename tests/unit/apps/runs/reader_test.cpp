#include "apps/runs/reader.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "apps/cli/failure.hpp"
#include "apps/runs/figures.hpp"

namespace ringpost::apps {
namespace {

/// Files of one test.
struct Reader : testing::Test {
    std::filesystem::path base =
        std::filesystem::path(testing::TempDir()) /
        (std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + std::to_string(getpid()));

    Reader() { std::filesystem::create_directories(base); }
    ~Reader() override { std::filesystem::remove_all(base); }

    std::string written(const std::string& name, const std::string& text) const {
        std::ofstream(base / name, std::ios::binary) << text;
        return base / name;
    }
    /// A kept run. `extra` are more members of run.json.
    std::string run(const std::string& name, const Json& extra = {}, const Json& results = Json::object(),
                    const Json& environment = Json::object()) const {
        std::filesystem::create_directories(base / name);
        Json kept = {{"format", "ringpost run 1"},
                     {"command", "load"},
                     {"configuration", Json::object()},
                     {"environment", environment},
                     {"results", results}};
        if (extra.is_object()) kept.update(extra);
        written(name + "/run.json", kept.dump());
        written(name + "/series.csv", "elapsed_s,sent\n1,5\n");
        return base / name;
    }
};

template <class Call>
std::string refusal(const Call& call) {
    try {
        call();
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.exit_code, Exit::usage);
        return failure.what();
    }
    return "";
}

TEST_F(Reader, a_series_is_read_in_each_form_that_other_programs_write) {
    const std::string bom = "\xef\xbb\xbf";
    for (const std::string& text :
         {std::string("elapsed_s,sent,received\n1,5,4\n3,7,7\n"), std::string("elapsed_s,sent,received\n1,5,4\n3,7,7"),
          std::string("elapsed_s,sent,received\r\n1,5,4\r\n3,7,7\r\n"), bom + "elapsed_s,sent,received\n1,5,4\n3,7,7\n",
          bom + "elapsed_s,sent,received\r\n1,5,4\r\n3,7,7", std::string("sent,received,elapsed_s\n5,4,1\n7,7,3\n"),
          std::string("note,elapsed_s,sent,more,received\nx,1,5,,4\n,3,7,y,7\n"),
          std::string("\"elapsed_s\",\"sent\",\"received\"\n\"1\",\"5\",\"4\"\n3,7,7\n"),
          std::string("elapsed_s, sent, received\n1, 5, 4\n3,\t7, 7 \n"),
          std::string("elapsed_s,sent,received\n1,5,4\n3,7,7\n\n\r\n")}) {
        SCOPED_TRACE(text);
        const std::vector<SeriesRow> rows = read_series(written("series.csv", text));
        ASSERT_EQ(rows.size(), 2u);
        EXPECT_EQ(rows[0].counted.sent, 5u);
        EXPECT_EQ(rows[1].counted.sent, 7u);
        EXPECT_EQ(rows[1].counted.received, 7u);
        EXPECT_DOUBLE_EQ(rows[1].length_s(), 2);
    }
}

TEST_F(Reader, a_broken_series_is_refused_with_line_and_column) {
    const std::string path = base / "series.csv";
    const std::string head = "elapsed_s,sent,received\n";
    const std::pair<std::string, std::string> cases[] = {
        {"", " is empty"},
        {"elapsed_s\n1\n", ":1: no column sent: not the series of a run"},
        {"a,b\n", ":1: no column elapsed_s: not the series of a run"},
        {"elapsed_s;sent;received\n", ":1: no column elapsed_s: not the series of a run"},
        {"elapsed_s,sent,sent\n", ":1: the column sent is there twice"},
        {head + "1,5\n", ":2: no field for the column received"},
        {head + "1,5,4\n2,5,4,9\n", ":3: 4 fields, but the first line names 3 columns"},
        {head + "1,5,4\n2,five,4\n", ":3: sent: five: expected a number"},
        {head + "1,-5,4\n", ":2: sent: -5: expected a number"},
        {head + "1,5.5,4\n", ":2: sent: 5.5: expected a number"},
        {head + "1,,4\n", ":2: sent: is empty; expected a number"},
        {head + "nan,5,4\n", ":2: elapsed_s: nan: expected a number"},
        {head + "1,5,\x1b[31m\n", ":2: received: \\x1b[31m: expected a number"},
        {head + "2,5,4\n1,5,4\n", ":3: earlier than the line before"},
        {head + "1,5,4\n\n2,5,4\n", ":3: is empty"}};
    for (const auto& [text, reason] : cases) {
        written("series.csv", text);
        const std::string separator = reason.starts_with(':') ? "" : ":";
        EXPECT_EQ(refusal([&] { read_series(path); }), path + separator + reason);
    }
    EXPECT_EQ(refusal([&] { read_series(base / "none.csv"); }), (base / "none.csv").string() + ": cannot be read");
}

std::vector<std::int64_t> losses(const std::vector<SeriesRow>& rows) {
    std::vector<std::int64_t> out;
    for (const SeriesRow& row : rows) out.push_back(row.counted.lost);
    return out;
}

TEST_F(Reader, losses_belong_to_the_second_in_which_the_datagrams_were_sent) {
    // Of 100 a second, 2 are lost and 10 in flight at each end of a second but the last.
    EXPECT_EQ(losses(read_series(written("series.csv",
                                         "elapsed_s,sent,lost,waiting\n1,100,12,12\n2,100,2,0\n3,100,2,0\n"
                                         "4,100,-8,-12\n"))),
              (std::vector<std::int64_t>{2, 2, 2, 2}));
    // All of the second second are lost.
    EXPECT_EQ(losses(read_series(written("series.csv",
                                         "elapsed_s,sent,lost,waiting\n1,100,0,0\n2,100,100,100\n"
                                         "3,100,0,-100\n4,100,0,0\n5,100,0,0\n"))),
              (std::vector<std::int64_t>{0, 100, 0, 0, 0}));
    // Answers to the first second come in the third.
    EXPECT_EQ(losses(read_series(written("series.csv",
                                         "elapsed_s,sent,lost,waiting\n1,100,50,50\n2,100,0,-50\n"
                                         "3,100,-50,0\n4,100,0,0\n"))),
              (std::vector<std::int64_t>{0, 0, 0, 0}));
    // A series without that column, or of a run that does not know it.
    EXPECT_EQ(losses(read_series(written("series.csv", "elapsed_s,sent,lost\n1,100,12\n2,100,2\n3,100,-8\n"))),
              (std::vector<std::int64_t>{6, 0, 0}));
    EXPECT_EQ(losses(read_series(written("series.csv", "elapsed_s,sent,lost,waiting\n1,9,1,0\n2,9,0,0\n3,9,3,0\n"))),
              (std::vector<std::int64_t>{1, 0, 3}));
}

TEST_F(Reader, a_histogram_log_with_other_line_ends_is_read) {
    const std::string path = run("a");
    const std::string line = histogram_log_line({.tag = "", .start_s = 0, .length_s = 1, .histogram = {}});
    written("a/slip.hlog", "\xef\xbb\xbf#[a comment]\r\n" + line.substr(0, line.find('\n')) + "\r\n");
    IntervalReader reader(read_run(path), "slip");
    EXPECT_TRUE(reader.next().has_value());
    EXPECT_FALSE(reader.next().has_value());
}

TEST_F(Reader, the_same_run_is_recognised) {
    const auto refused = [&](std::vector<std::string> paths) {
        std::vector<KeptRun> runs;
        for (const std::string& path : paths) runs.push_back(read_run(path));
        return refusal([&] { refuse_same_run(runs); });
    };
    const std::string a = run("a", {{"id", "1"}}), b = run("b", {{"id", "2"}}), copied = run("copied", {{"id", "1"}});
    std::filesystem::create_directory_symlink(a, base / "link");
    EXPECT_EQ(refused({a, b}), "");
    EXPECT_EQ(refused({a, b, a}), a + " and " + a + ": the same run");
    EXPECT_EQ(refused({a, base / "link"}), a + " and " + (base / "link").string() + ": the same run");
    EXPECT_EQ(refused({b, a, copied}), a + " and " + copied + ": the same run");

    const std::string sum = run("sum", {{"id", "3"}, {"merged_from", {"1", "2"}}});
    const std::string other = run("other", {{"id", "4"}, {"merged_from", {"2", "5"}}});
    EXPECT_EQ(refused({sum, a}), a + " and " + sum + ": one run is part of both");
    EXPECT_EQ(refused({sum, other}), sum + " and " + other + ": one run is part of both");

    // Earlier versions wrote no id: the content decides.
    const std::string old = run("old"), old_copy = run("old_copy"), changed = run("changed");
    written("changed/slip.hlog", "#other\n");
    EXPECT_EQ(refused({old, old_copy}), old + " and " + old_copy + ": the same run");
    EXPECT_EQ(refused({old, changed, a}), "");
}

TEST_F(Reader, verdict_and_timeout_are_read_where_they_are) {
    const KeptRun plain = read_run(run("plain"));
    EXPECT_EQ(plain.invalid_reason(), "");
    EXPECT_EQ(plain.timeout_us(), 1e6);
    const KeptRun judged =
        read_run(run("judged", {}, {{"valid", false}, {"invalid_reason", "late\x1b"}, {"timeout_us", 2e6}}));
    EXPECT_EQ(judged.invalid_reason(), "late\\x1b");
    EXPECT_EQ(judged.timeout_us(), 2e6);
    EXPECT_EQ(read_run(run("bare", {}, {{"valid", false}})).invalid_reason(), "no reason is given");
    EXPECT_EQ(read_run(run("odd", {}, {{"valid", "x"}, {"timeout_us", "x"}})).timeout_us(), 1e6);
}

TEST_F(Reader, environments_differ_in_what_both_have) {
    const KeptRun old = read_run(run("old", {}, Json::object(), {{"kernel", "6.1"}, {"cores", 2}}));
    const KeptRun now = read_run(
        run("now", {}, Json::object(), {{"kernel", "6.6"}, {"cores", 4}, {"governor", ""}, {"started_at", "today"}}));
    EXPECT_EQ(environment_differences(now, old), (std::vector<std::string>{"kernel 6.6, not 6.1", "cores 4, not 2"}));
    const KeptRun governed = read_run(run("governed", {}, Json::object(), {{"governor", "powersave"}}));
    EXPECT_EQ(environment_differences(governed, now), (std::vector<std::string>{"governor powersave, not unknown"}));
    EXPECT_TRUE(environment_differences(now, now).empty());
}

TEST(Figures, of_events_and_results_have_both_names) {
    Json progress = {{"response_us", {{"p50", 1}}}, {"refused", 2}};
    name_both_ways(progress);
    EXPECT_EQ(progress["rtt_us"], progress["response_us"]);
    EXPECT_EQ(progress["send_failed"], 2);
    Json summary = {{"rtt_us", {{"p50", 1}}}, {"send_failed", 3}, {"refused", false}};
    name_both_ways(summary);
    EXPECT_EQ(summary["response_us"], summary["rtt_us"]);
    EXPECT_EQ(summary["send_failed"], 3);
    EXPECT_EQ(summary["refused"], false);
}

}  // namespace
}  // namespace ringpost::apps
