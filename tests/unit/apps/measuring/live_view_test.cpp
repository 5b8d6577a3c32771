#include "apps/measuring/live_view.hpp"

#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "tests/unit/environment.hpp"

namespace ringpost::apps {
namespace {

RunShape shape_of_latency() {
    return {.command = "latency", .histograms = {"response", "slip"}, .lost_is_unanswered = true};
}

Snapshot interval_of_latency() {
    Snapshot out{.elapsed_s = 2,
                 .cpu_s = 0.84,
                 .sent = 200'002,
                 .received = 199'990,
                 .lost = 12,
                 .socket_dropped = 12,
                 .histograms = {}};
    out.histograms.resize(2);
    for (int i = 0; i < 98; ++i) out.histograms[0].record(1'000);
    out.histograms[0].record(2'000);
    out.histograms[0].record(20'000);
    return out;
}

/// What `use` makes a view write.
std::string written(const RunShape& shape, LiveView::Style style, const std::function<void(LiveView&)>& use) {
    char* text = nullptr;
    std::size_t bytes = 0;
    std::FILE* out = open_memstream(&text, &bytes);
    LiveView view(shape, style, out);
    use(view);
    std::fclose(out);
    std::string result(text, bytes);
    std::free(text);
    return result;
}

TEST(IntervalText, shows_rates_loss_processor_and_times) {
    EXPECT_EQ(
        interval_text(shape_of_latency(), interval_of_latency(), 3),
        "   3 s  sent 100,001/s  received 99,995/s  lost 12 (under 0.01 %: send queue 0, receive buffer 12, path 0)"
        "  cpu 42 %  response p50 1.0  p99 2.0  max 20.0 us");
}

TEST(IntervalText, shows_where_datagrams_were_lost) {
    Snapshot interval{.elapsed_s = 1,
                      .sent = 100,
                      .received = 80,
                      .lost = 20,
                      .socket_dropped = 12,
                      .engine = {.send_failed = 5},
                      .histograms = {}};
    EXPECT_EQ(interval_text(shape_of_latency(), interval, 1),
              "   1 s  sent 100/s  received 80/s  lost 20 (20.00 %: send queue 5, receive buffer 12, path 3)  cpu 0 %");
    RunShape load{.command = "load", .histograms = {}, .drop_datagrams_max = 64};
    EXPECT_EQ(
        interval_text(load, interval, 1),
        "   1 s  sent 100/s  received 80/s  lost 20 (20.00 %: receive buffer up to 20, path 0)  refused 5  cpu 0 %");
    interval.socket_dropped = 0;
    EXPECT_EQ(interval_text(load, interval, 1),
              "   1 s  sent 100/s  received 80/s  lost 20 (20.00 %: receive buffer 0, path 20)  refused 5  cpu 0 %");
}

TEST(IntervalText, leaves_out_what_the_shape_does_not_have) {
    const Snapshot interval{.elapsed_s = 1, .sent = 100, .received = 80, .lost = 20, .histograms = {}};
    EXPECT_EQ(interval_text({.command = "load", .receives = false, .histograms = {}}, interval, 12),
              "  12 s  sent 100/s  cpu 0 %");
    EXPECT_EQ(interval_text({.command = "sink", .sends = false, .histograms = {}}, interval, 12),
              "  12 s  received 80/s  lost 20 (20.00 %: receive buffer 0, path 20)  cpu 0 %");
    const Snapshot refused{.elapsed_s = 1, .engine = {.send_failed = 7}, .histograms = {}};
    EXPECT_EQ(
        interval_text({.command = "load", .receives = false, .histograms = {}, .lost_is_unanswered = true}, refused, 1),
        "   1 s  sent 0/s  refused 7  cpu 0 %");
}

TEST(IntervalText, shows_no_loss_below_zero_and_no_percentiles_of_nothing) {
    Snapshot interval{.elapsed_s = 1, .sent = 5, .received = 8, .lost = -3, .histograms = {}};
    EXPECT_EQ(interval_text(shape_of_latency(), interval, 1), "   1 s  sent 5/s  received 8/s  lost 0  cpu 0 %");
    interval.histograms.resize(2);
    EXPECT_EQ(interval_text(shape_of_latency(), interval, 1), "   1 s  sent 5/s  received 8/s  lost 0  cpu 0 %");
}

TEST(IntervalText, of_no_time_has_no_rates) {
    EXPECT_EQ(interval_text({.command = "load", .receives = false, .histograms = {}},
                            {.cpu_s = 1, .sent = 100, .histograms = {}}, 0),
              "   0 s  sent 0/s  cpu 0 %");
}

TEST(LiveView, plain_writes_a_line_for_what_came_since_the_last) {
    const std::string text = written(shape_of_latency(), LiveView::Style::plain, [](LiveView& view) {
        Snapshot now = interval_of_latency();
        view.show(now);
        now.elapsed_s += 1;
        now.sent += 30;
        now.received += 40;
        now.lost -= 10;
        now.cpu_s += 0.5;
        view.show(now);
        view.end();
    });
    EXPECT_EQ(
        text,
        "   2 s  sent 100,001/s  received 99,995/s  lost 12 (under 0.01 %: send queue 0, receive buffer 12, path 0)"
        "  cpu 42 %  response p50 1.0  p99 2.0  max 20.0 us\n"
        "   3 s  sent 30/s  received 40/s  lost 0  cpu 50 %\n");
}

TEST(LiveView, terminal_draws_over_what_it_has_drawn_and_takes_it_away) {
    const Variable locale("LC_ALL", "C");
    const std::string text = written(shape_of_latency(), LiveView::Style::terminal, [](LiveView& view) {
        Snapshot now = interval_of_latency();
        view.show(now);
        now.elapsed_s = 3;
        view.show(now);
        view.end();
    });
    EXPECT_EQ(text,
              "   2 s  sent 100,001/s  received 99,995/s  cpu 42 %\033[K\n"
              "        lost 12 (under 0.01 %: send queue 0, receive buffer 12, path 0)\033[K\n"
              "        response p50 1.0  p99 2.0  max 20.0 us\033[K\n"
              "        @@@@....        ....    \033[K\n"
              "        1 us        10 us\033[K\n"
              "\033[J"
              "\033[5A\r"
              "   3 s  sent 0/s  received 0/s  cpu 0 %\033[K\n"
              "        lost 0\033[K\n"
              "\033[J"
              "\033[2A\r\033[J");
}

TEST(LiveView, the_columns_are_those_of_the_whole_run) {
    const Variable locale("LC_ALL", "C");
    const std::string text = written(shape_of_latency(), LiveView::Style::terminal, [](LiveView& view) {
        Snapshot now = interval_of_latency();
        view.show(now);
        now.histograms[0].record(5 * microsecond);
        view.show(now);
    });
    EXPECT_NE(text.find("                @@@@            \033[K\n        1 us        10 us\033[K\n"), std::string::npos)
        << text;
}

TEST(LiveView, loss_is_red_and_bars_are_coloured) {
    const Variable locale("LC_ALL", "C.UTF-8");
    const std::string text = written(shape_of_latency(), LiveView::Style::coloured, [](LiveView& view) {
        Snapshot now = interval_of_latency();
        view.show(now);
        now.lost -= 3;
        view.show(now);
    });
    EXPECT_NE(text.find("\033[31m        lost 12 (under"), std::string::npos) << text;
    EXPECT_NE(text.find("\033[36m        \u2588\u2588\u2588\u2588\u2581"), std::string::npos) << text;
    EXPECT_NE(text.find("\n        lost 0\033[K\n"), std::string::npos) << "not red without loss: " << text;
}

/// A terminal of its own: what is written to `device` is read from `screen`.
struct Terminal {
    explicit Terminal(unsigned short columns) {
        const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
        if (openpty(&screen, &device, nullptr, nullptr, &size) != 0) screen = device = -1;
    }
    ~Terminal() {
        ::close(screen);
        ::close(device);
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    int screen = -1, device = -1;
};

TEST(LiveView, lines_are_shorter_than_the_terminal_is_wide) {
    const Variable locale("LC_ALL", "C");
    for (const unsigned short columns : {std::uint16_t{2}, std::uint16_t{9}, std::uint16_t{30}}) {
        SCOPED_TRACE(columns);
        const Terminal terminal(columns);
        ASSERT_GE(terminal.device, 0);
        std::FILE* out = fdopen(dup(terminal.device), "w");
        LiveView(shape_of_latency(), LiveView::Style::terminal, out).show(interval_of_latency());
        std::string text;
        while (!text.ends_with("\033[J")) {  // it comes in pieces
            char seen[1'000];
            const ssize_t bytes = ::read(terminal.screen, seen, sizeof seen);
            ASSERT_GT(bytes, 0);
            text.append(seen, static_cast<std::size_t>(bytes));
        }
        std::size_t longest = 0;
        for (std::size_t end = text.find("\033[K"); end != std::string::npos; end = text.find("\033[K")) {
            longest = std::max(longest, end);
            text = text.substr(text.find('\n', end) + 1);
        }
        EXPECT_LT(longest, columns);
        EXPECT_GE(longest, columns / 2u);
        EXPECT_EQ(text, "\033[J");
        std::fclose(out);
    }
}

TEST(LiveView, style_is_that_of_standard_error_and_the_environment) {
    using Style = LiveView::Style;
    const auto style = [](const char* term, const char* no_color) {
        const Variable terminal("TERM", term), colour("NO_COLOR", no_color);
        return LiveView::style_of_stderr();
    };
    const int before = dup(STDERR_FILENO);
    const Terminal terminal(80);
    dup2(terminal.device, STDERR_FILENO);
    const Style plain_terminal = style("xterm", "1"), coloured = style("xterm", nullptr), empty = style("xterm", "");
    const Style dumb = style("dumb", nullptr), unnamed = style(nullptr, nullptr);
    int ends[2];
    const int piped = pipe(ends);
    dup2(ends[1], STDERR_FILENO);
    const Style no_terminal = style("xterm", nullptr);
    dup2(before, STDERR_FILENO);
    for (const int fd : {before, ends[0], ends[1]}) ::close(fd);
    ASSERT_EQ(piped, 0);
    ASSERT_GE(terminal.device, 0);
    EXPECT_EQ(plain_terminal, Style::terminal);
    EXPECT_EQ(coloured, Style::coloured);
    EXPECT_EQ(empty, Style::coloured) << "an empty NO_COLOR has no effect";
    EXPECT_EQ(dumb, Style::plain);
    EXPECT_EQ(unnamed, Style::plain);
    EXPECT_EQ(no_terminal, Style::plain);
}

}  // namespace
}  // namespace ringpost::apps
