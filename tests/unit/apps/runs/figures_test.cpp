#include "apps/runs/figures.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "apps/runs/reader.hpp"
#include "apps/runs/series.hpp"

namespace ringpost::apps {
namespace {

RunShape shape_with_drops() {
    return {.command = "latency",
            .connected = true,
            .histograms = {"response"},
            .lost_is_unanswered = true,
            .drop_datagrams_max = 1};
}

/// A snapshot in which every member differs.
Snapshot distinct(std::uint64_t times) {
    Snapshot out;
    std::uint64_t value = 0;
    for_each_number([&](Kind, const auto& number) {
        number(out) = static_cast<std::remove_reference_t<decltype(number(out))>>(++value * times);
    });
    return out;
}

TEST(Figures, have_names_of_their_own) {
    std::set<std::string_view> names, metrics;
    for (const Figure& figure : figures) {
        EXPECT_TRUE(names.insert(figure.name).second) << figure.name;
        EXPECT_TRUE(figure.metric.empty() || metrics.insert(figure.metric).second) << figure.metric;
        EXPECT_EQ(figure.metric.empty(), figure.help.empty()) << figure.name;
        EXPECT_FALSE(figure.label.empty()) << figure.name;
    }
}

TEST(Figures, name_their_unit) {
    for (const Figure& figure : figures) {
        EXPECT_EQ(figure.unit == Unit::microseconds, figure.name.ends_with("_us")) << figure.name;
        EXPECT_EQ(figure.unit == Unit::per_second, figure.name.ends_with("_per_s")) << figure.name;
        EXPECT_EQ(figure.unit == Unit::percent, figure.name.ends_with("_percent")) << figure.name;
        EXPECT_TRUE(figure.unit != Unit::microseconds || figure.metric.empty() || figure.metric.ends_with("_seconds"))
            << figure.name;
        EXPECT_EQ(figure.kind == Kind::percentile, std::holds_alternative<double>(figure.source)) << figure.name;
        EXPECT_EQ(!figure.metric.empty() && figure.kind == Kind::counter, figure.metric.ends_with("_total"))
            << figure.name;
    }
}

TEST(Figures, columns_of_earlier_series_keep_their_order) {
    EXPECT_TRUE(
        series_head().starts_with("elapsed_s,sent,received,lost,rate_per_s,p50_us,p99_us,max_us,cpu_percent,"
                                  "socket_dropped,refused,lost_receive_buffer,lost_path"))
        << series_head();
}

TEST(Figures, add_up_and_subtract_in_every_member) {
    Snapshot sum = distinct(1);
    sum.add(distinct(2));
    const Snapshot between = interval_between(distinct(5), distinct(2));
    for_each_number([&](Kind kind, const auto& number) {
        const Snapshot single = distinct(1);
        const auto once = number(single);
        EXPECT_EQ(number(sum), kind == Kind::clock || kind == Kind::level ? 2 * once : 3 * once) << once;
        EXPECT_EQ(number(between), kind == Kind::level ? 5 * once : 3 * once) << once;
    });
}

TEST(Figures, are_written_and_read_back) {
    const std::string directory = testing::TempDir() + "ringpost_series_" + std::to_string(getpid());
    ASSERT_TRUE(std::system(("mkdir -p " + directory).c_str()) == 0);
    Snapshot first = distinct(1), end = distinct(3);
    first.waiting = end.waiting = 0;  // the reader moves losses by it
    first.histograms.resize(1);
    end.histograms.resize(1);
    end.histograms[0].record(2'000);
    {
        RunSeries series(directory, shape_with_drops(), 0, "now");
        series.take(first);
        ASSERT_EQ(series.finish(end), "");
    }
    const std::vector<SeriesRow> rows = read_series(directory + "/series.csv");
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_DOUBLE_EQ(rows[1].end_s, end.elapsed_s);
    const Snapshot none, between = interval_between(end, first);
    for (const Figure& figure : figures) {
        if (!is_shown(figure, in_series) || figure.kind == Kind::clock) continue;
        if (std::holds_alternative<Derived>(figure.source) || figure.kind == Kind::percentile) continue;
        const Json written = interval_of(figure, shape_with_drops(), Interval(first, end));
        const Json read = interval_of(figure, shape_with_drops(), Interval(none, rows[1].counted));
        EXPECT_NEAR(read.get<double>(), written.get<double>(), 0.01) << figure.name;
    }
    EXPECT_NEAR(rows[1].counted.cpu_s, between.cpu_s, 1e-3) << "restored from cpu_percent";
}

TEST(Figures, a_series_of_another_version_is_read) {
    const std::string path = testing::TempDir() + "ringpost_other_" + std::to_string(getpid()) + ".csv";
    std::ofstream(path) << "sent,a_later_figure,elapsed_s\n7,x,1\n5,,3\n";
    const std::vector<SeriesRow> rows = read_series(path);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].counted.sent, 7u);
    EXPECT_EQ(rows[1].counted.sent, 5u);
    EXPECT_DOUBLE_EQ(rows[1].length_s(), 2);
}

TEST(Figures, of_a_connection_stand_together) {
    Snapshot before, now;
    before.window_bytes = 30'000;
    now.window_bytes = 20'000;
    now.rtt_smoothed_us = 12.5;
    now.packets_lost = 3;
    const Json event = progress_json(shape_with_drops(), Interval(before, now));
    EXPECT_EQ(event["path"], (Json{{"rtt_smoothed_us", 12.5}, {"window_bytes", 20'000}, {"in_flight_bytes", 0}}));
    EXPECT_EQ(event["connection"], (Json{{"packets_lost", 3}, {"bytes_resent", 0}}));
    EXPECT_FALSE(progress_json({.command = "load", .histograms = {}}, Interval(before, now)).contains("path"));
}

TEST(Figures, unknown_ones_are_left_out) {
    const RunShape load{.command = "load", .receives = false, .histograms = {}};
    const Snapshot none, now{.elapsed_s = 2, .cpu_s = 1, .sent = 10, .engine = {.send_failed = 3}, .histograms = {}};
    EXPECT_TRUE(series_line(load, Interval(none, now)).starts_with("2.000000,10,,,5.000,,,,50.00,,3,,"));
    const Json event = progress_json(load, Interval(none, now));
    for (const char* known : {"elapsed_s", "sent", "rate_per_s", "cpu_percent", "refused"})
        EXPECT_TRUE(event.contains(known)) << known;
    for (const char* unknown : {"received", "lost", "lost_in", "socket_dropped"})
        EXPECT_FALSE(event.contains(unknown)) << unknown;

    const RunShape unverified{.command = "load", .verifies = false, .histograms = {}};
    EXPECT_FALSE(progress_json(unverified, Interval(none, now)).contains("lost"));
    EXPECT_TRUE(summary_json(unverified, now).contains("lost"));
}

TEST(Figures, of_an_event_are_totals_but_rates_and_percentiles_are_of_the_interval) {
    Snapshot before{.elapsed_s = 1, .sent = 100, .received = 90, .lost = 10, .histograms = {}};
    before.histograms.resize(1);
    Snapshot after{.elapsed_s = 3, .sent = 120, .received = 125, .lost = -5, .socket_dropped = 2, .histograms = {}};
    after.histograms.resize(1);
    after.histograms[0].record(1'000);
    const Json event = progress_json(shape_with_drops(), Interval(before, after));
    EXPECT_EQ(event["sent"], 120);
    EXPECT_EQ(event["lost"], 0) << "late answers may exceed the loss";
    EXPECT_EQ(event["rate_per_s"], 10.0);
    EXPECT_EQ(event["response_us"], (Json{{"p50", 1.0}, {"p99", 1.0}, {"max", 1.0}}));
    EXPECT_EQ(event["lost_in"], (Json{{"send_queue", 0}, {"receive_buffer", 0}, {"path", 0}}));
}

TEST(Figures, of_a_summary_are_in_the_schema) {
    const char* const path = std::getenv("RINGPOST_RUN_SCHEMA");
    ASSERT_NE(path, nullptr);
    std::ifstream file(path);
    const Json schema = Json::parse(file);
    const Json& properties = schema["properties"]["results"]["properties"];
    for (const Figure& figure : figures) {
        if (!is_shown(figure, in_summary)) continue;
        const JsonPlace place = json_place(figure, shape_with_drops());
        const Json& rules = place.object.empty() ? properties : properties[place.object]["properties"];
        // A sink without verification does not know what was lost.
        const bool may_be_unknown = figure.known == Known::verifying && place.object.empty();
        const Json type = may_be_unknown ? Json{"integer", "null"} : Json("integer");
        const Json expected = {{"description", figure.label}, {"type", type}, {"minimum", 0}};
        EXPECT_EQ(rules.value(place.member, Json()), expected) << figure.name;
    }
}

}  // namespace
}  // namespace ringpost::apps
