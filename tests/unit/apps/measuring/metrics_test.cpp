#include "apps/measuring/metrics.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apps/cli/options.hpp"

namespace ringpost::apps {
namespace {

/// The answer to GET /metrics on loopback; empty when there is none.
std::string scraped(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string out;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
        const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
        if (::write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
            char part[4096];
            for (ssize_t got = 0; (got = ::read(fd, part, sizeof part)) > 0;)
                out.append(part, static_cast<std::size_t>(got));
        }
    }
    ::close(fd);
    return out;
}

bool has_line(const std::string& text, const std::string& line) {
    return text.find("\n" + line + "\n") != std::string::npos;
}

std::string refusal_of(const std::string& address) {
    try {
        const Metrics metrics(address, {.command = "load", .histograms = {}});
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.exit_code, Exit::usage);
        return failure.what();
    }
    return "";
}

TEST(Metrics, has_every_count_and_the_first_histogram) {
    Metrics metrics("127.0.0.1:0", {.command = "latency", .histograms = {"response", "slip"}});
    Snapshot now{.elapsed_s = 9,
                 .cpu_s = 1.5,
                 .sent = 12'345'678'901,
                 .received = 7,
                 .lost = 5,
                 .socket_dropped = 3,
                 .engine = {.send_failed = 2},
                 .histograms = {}};
    now.histograms.resize(2);
    Histogram& response = now.histograms[0];
    for (const Duration duration : {Duration{0}, microsecond, 4 * microsecond, 5 * microsecond, 6 * microsecond,
                                    10 * second, 11 * second, 90 * second})
        response.record(duration);
    metrics.update(now);
    const std::string text = scraped(metrics.port());
    for (const char* line : {
             "# TYPE ringpost_datagrams_sent_total counter",
             R"(ringpost_datagrams_sent_total{command="latency"} 12345678901)",
             R"(ringpost_datagrams_received_total{command="latency"} 7)",
             "# TYPE ringpost_datagrams_lost gauge",
             R"(ringpost_datagrams_lost{command="latency"} 5)",
             R"(ringpost_datagrams_refused_total{command="latency"} 2)",
             R"(ringpost_receive_buffer_full_total{command="latency"} 3)",
             R"(ringpost_cpu_seconds_total{command="latency"} 1.5)",
             "# TYPE ringpost_response_seconds histogram",
             R"(ringpost_response_seconds_bucket{command="latency",le="1e-06"} 2)",
             R"(ringpost_response_seconds_bucket{command="latency",le="2e-06"} 2)",
             R"(ringpost_response_seconds_bucket{command="latency",le="5e-06"} 4)",
             R"(ringpost_response_seconds_bucket{command="latency",le="1e-05"} 5)",
             R"(ringpost_response_seconds_bucket{command="latency",le="5"} 5)",
             R"(ringpost_response_seconds_bucket{command="latency",le="10"} 6)",
             R"(ringpost_response_seconds_bucket{command="latency",le="+Inf"} 8)",
             R"(ringpost_response_seconds_count{command="latency"} 8)",
             R"(ringpost_response_seconds_sum{command="latency"} 111.000016)",
         })
        EXPECT_TRUE(has_line(text, line)) << line;
    EXPECT_EQ(text.find("slip"), std::string::npos);

    now.lost = -1;
    now.sent = 12'345'678'902;
    metrics.update(now);
    const std::string later = scraped(metrics.port());
    EXPECT_TRUE(has_line(later, R"(ringpost_datagrams_lost{command="latency"} 0)"));
    EXPECT_TRUE(has_line(later, R"(ringpost_datagrams_sent_total{command="latency"} 12345678902)"));
}

TEST(Metrics, leaves_out_what_the_shape_does_not_have) {
    const Metrics sink("127.0.0.1:0", {.command = "sink", .sends = false, .histograms = {"one-way delay"}});
    const std::string received = scraped(sink.port());
    EXPECT_EQ(received.find("ringpost_datagrams_sent"), std::string::npos);
    EXPECT_EQ(received.find("ringpost_datagrams_refused"), std::string::npos);
    EXPECT_TRUE(has_line(received, R"(ringpost_datagrams_received_total{command="sink"} 0)"));
    EXPECT_TRUE(has_line(received, R"(ringpost_one_way_delay_seconds_count{command="sink"} 0)"));

    const Metrics load("127.0.0.1:0", {.command = "load", .receives = false, .histograms = {}});
    const std::string sent = scraped(load.port());
    EXPECT_TRUE(has_line(sent, R"(ringpost_datagrams_sent_total{command="load"} 0)"));
    EXPECT_EQ(sent.find("ringpost_datagrams_received"), std::string::npos);
    EXPECT_EQ(sent.find("ringpost_datagrams_lost"), std::string::npos);
    EXPECT_EQ(sent.find("histogram"), std::string::npos);
}

TEST(Metrics, reports_why_it_cannot_listen) {
    const Metrics first("127.0.0.1:0", {.command = "load", .histograms = {}});
    const std::string taken = "127.0.0.1:" + std::to_string(first.port());
    EXPECT_EQ(refusal_of(taken), "--prometheus " + taken + ": Address already in use");
    EXPECT_EQ(refusal_of("192.0.2.1:9100"), "--prometheus 192.0.2.1:9100: Cannot assign requested address");
    EXPECT_EQ(refusal_of("9100"), "--prometheus 9100: the port is missing; expected HOST:PORT");
    EXPECT_EQ(refusal_of("127.0.0.1:+80"), "--prometheus 127.0.0.1:+80: the port must be 1 to 65535");
}

TEST(Metrics, listens_on_ipv6_or_reports_that_it_cannot) {
    const std::string refusal = refusal_of("[::1]:0");
    EXPECT_TRUE(refusal.empty() || refusal.find(": the web server of this prometheus-cpp has no IPv6") == 20)
        << refusal;
}

}  // namespace
}  // namespace ringpost::apps
