#include "apps/cli/report.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace ringpost::apps {
namespace {

TEST(RateText, has_three_digits_below_a_hundred) {
    constexpr std::pair<double, const char*> rates[] = {
        {0, "0/s"},          {0.001, "0.001/s"},   {0.4, "0.4/s"},   {1.5, "1.5/s"},    {2.0 / 3, "0.667/s"},
        {9.99, "9.99/s"},    {9.999, "10/s"},      {10, "10/s"},     {12.34, "12.3/s"}, {99.4, "99.4/s"},
        {99.49, "99.5/s"},   {99.5, "100/s"},      {99.97, "100/s"}, {100.4, "100/s"},  {100.6, "101/s"},
        {10'000, "10000/s"}, {1e9, "1000000000/s"}};
    for (const auto& [rate, text] : rates) EXPECT_EQ(rate_text(rate), text);
    EXPECT_EQ(grouped_rate_text(0.4), "0.4/s");
    EXPECT_EQ(grouped_rate_text(999.6), "1,000/s");
    EXPECT_EQ(grouped_rate_text(12'345'678), "12,345,678/s");
}

}  // namespace
}  // namespace ringpost::apps
