#include "apps/measuring/flow_shares.hpp"

#include <gtest/gtest.h>

#include "apps/measuring/outcome.hpp"

namespace ringpost::apps {
namespace {

Json counted(std::uint64_t first, const std::vector<FlowCount>& flows) {
    Json counts = Json::object();
    add_flow_counts(counts, first, flows);
    return counts;
}

TEST(FlowShares, engines_add_up_to_one_list) {
    Json summary = counted(0, {{1000, 10, 9}, {1001, 10, 1}});
    add_counts(summary, counted(2, {{1002, 30, 30}}));
    share_flows(summary, "answered", true);
    EXPECT_FALSE(summary.contains("flow_counts"));
    const Json& shares = summary["flow_shares"];
    EXPECT_EQ(shares["flows"], 3);
    EXPECT_DOUBLE_EQ(shares["least"].get<double>(), 1.0 / 40);
    EXPECT_DOUBLE_EQ(shares["most"].get<double>(), 30.0 / 40);
    EXPECT_DOUBLE_EQ(shares["jain"].get<double>(), 40.0 * 40 / (3 * (81 + 1 + 900)));
    ASSERT_EQ(summary["per_flow"].size(), 3u);
    EXPECT_EQ(summary["per_flow"][2],
              (Json{{"port", 1002}, {"sent", 30}, {"answered", 30}, {"flow", 2}, {"share", 0.75}}));
    EXPECT_EQ(flow_lines(summary).size(), 4u);
}

TEST(FlowShares, equal_shares_are_fair) {
    Json summary = counted(0, std::vector<FlowCount>(7, FlowCount{1, 5, 0}));
    share_flows(summary, "sent", false);
    EXPECT_DOUBLE_EQ(summary["flow_shares"]["jain"].get<double>(), 1);
    EXPECT_FALSE(summary.contains("per_flow"));
    EXPECT_EQ(flow_lines(summary).size(), 1u);
}

TEST(FlowShares, without_counts_nothing_is_reported) {
    Json none = Json::object();
    share_flows(none, "sent", true);
    EXPECT_EQ(none, Json::object());
    EXPECT_TRUE(flow_lines(none).empty());
    Json nothing_sent = counted(0, {{1, 0, 0}, {2, 0, 0}});
    share_flows(nothing_sent, "sent", true);
    EXPECT_TRUE(nothing_sent["flow_shares"]["jain"].is_null());
    EXPECT_TRUE(flow_lines(nothing_sent).empty());
}

}  // namespace
}  // namespace ringpost::apps
