#include <gtest/gtest.h>

#include "apps/measuring/arrivals.hpp"
#include "tests/unit/apps/temporary_file.hpp"

namespace ringpost::apps {
namespace {

/// The total number of datagrams due of a profile file, or the message without the file.
std::string outcome_of(const std::string& contents) {
    const TemporaryFile file(contents);
    CLI::App app;
    ArrivalOptions options;
    double rate = 0;
    Duration duration = 0;
    app.add_flag("--strict");
    app.add_option("--rate", rate);
    app.add_option("--duration", duration);
    add_arrivals(app, options);
    std::string out;
    try {
        app.parse(std::vector<std::string>{file.path(), "--profile"});
        check_arrivals(app, options, rate, duration);
        out = std::to_string(static_cast<long>(options.profile->total()));
    } catch (const CLI::ValidationError& error) {
        out = error.what();
        const std::string head = "--profile " + file.path() + ": ";
        EXPECT_TRUE(out.starts_with(head)) << out;
        out = out.substr(std::min(head.size(), out.size()));
    }
    return out;
}

TEST(Profile, is_read_as_editors_and_spreadsheets_write_it) {
    for (const char* contents : {
             "0,1000\n1,1000\n",
             "0s,1000\n1s,1000",
             "time,rate\n0,1000\n1,1000\n",
             "TIME,RATE\n0,1000\n1,1000\n",
             "Time , Rate\n0,1000\n1,1000\n",
             "\xef\xbb\xbf"
             "0,1000\n1,1000\n",
             "\xef\xbb\xbf"
             "TIME,RATE\r\n0,1000\r\n1,1000\r\n",
             "# ramp\n\n  \ntime,rate\n0,1000\n# end\n1,1000\n\n",
             " 0 , 1000 \n\t1\t,\t1k\n",
             "0ms,1000\n1000ms,1k\n",
             "0.0,1000\n1.0,1000\n",
             "0.0s,1000.0\n1s,1000\n",
             "00,1000\n01,1000\n",
             "0,1000\n1,1000\n1,0\n2,0.0\n",
             "0,1000\n1,1000\n1,0k\n2,0\n",
         })
        EXPECT_EQ(outcome_of(contents), "1000") << contents;
}

TEST(Profile, names_the_line_and_the_reason) {
    const struct {
        std::string contents, message;
    } rows[] = {
        {"0,1000\n1;1000\n", "line 2: 1;1000: expected TIME,RATE"},
        {"0,1000\n\n# x\n1,fast\n",
         "line 4: fast: is not a number; expected a rate per second such as 0.5, 100k or 2.5M"},
        {"0,1000\n-1,1000\n", "line 2: -1: is negative; expected a time such as 250us, 20ms, 2s or 1m"},
        {"0,1000\n1x,1000\n", "line 2: 1x: has an unknown unit; expected a time such as 250us, 20ms, 2s or 1m"},
        {"0,1000\n,1000\n", "line 2: \"\": is empty; expected a time such as 250us, 20ms, 2s or 1m"},
        {"0,1000\n1,\n", "line 2: \"\": is empty; expected a rate per second such as 0.5, 100k or 2.5M"},
        {"0,1000\n1,2G\n", "line 2: 2G: is more than 1G per second"},
        {"0,1000\n1,max\n", "line 2: max: is not a number; expected a rate per second such as 0.5, 100k or 2.5M"},
        {"0,1000\n1,1,1\n", "line 2: 1,1: is not a number; expected a rate per second such as 0.5, 100k or 2.5M"},
        {"0,1000\n2,1000\n1,1000\n", "line 3: its time is before that of the line above"},
        {"0,1000\ntime,rate\n", "line 2: time: is not a number; expected a time such as 250us, 20ms, 2s or 1m"},
        {"seconds,pps\n0,1\n", "line 1: seconds: is not a number; expected a time such as 250us, 20ms, 2s or 1m"},
        {"0,1000\n", "expected at least two lines TIME,RATE"},
        {"", "expected at least two lines TIME,RATE"},
        {"0,0\n1,0\n", "every rate is 0"},
        {"1,5\n1,5\n", "nothing is due: all rates above 0 last no time"},
        {std::string("\xff\xfe"
                     "0\0,\0",
                     6),
         "is UTF-16, expected UTF-8"},
    };
    for (const auto& [contents, message] : rows) EXPECT_EQ(outcome_of(contents), message) << contents;
}

}  // namespace
}  // namespace ringpost::apps
