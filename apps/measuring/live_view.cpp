// An interval is a few short texts: rates, loss, processor time, percentiles. In plain style they form one line. On a
// terminal they form several, followed by the spectrum. The cursor stays below the last line, so the next interval
// moves up, overwrites each line and clears what remains of a longer one.
//
// The columns of the spectrum cover the values of the whole run, so they rarely move.

#include "apps/measuring/live_view.hpp"

#include <fmt/core.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "apps/cli/report.hpp"
#include "apps/measuring/spectrum.hpp"
#include "apps/runs/figures.hpp"

namespace ringpost::apps {
namespace {

constexpr const char* red = "\033[31m";
constexpr const char* cyan = "\033[36m";
constexpr const char* uncoloured = "\033[0m";
constexpr const char* clear_to_end_of_line = "\033[K";
constexpr const char* clear_below = "\033[J";
constexpr std::size_t columns_unknown = 80;

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// Of the environment. The program itself keeps the C locale.
bool locale_is_utf8() {
    const locale_t locale = newlocale(LC_CTYPE_MASK, "", nullptr);
    if (locale == nullptr) return false;
    const bool utf8 = std::string_view(nl_langinfo_l(CODESET, locale)) == "UTF-8";
    freelocale(locale);
    return utf8;
}

/// Queried each time, because terminals are resized. The last column stays free, since some terminals wrap after it.
std::size_t columns_of(std::FILE* out) {
    winsize size{};
    const bool known = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return (known ? size.ws_col : columns_unknown) - 1;
}

std::string rates_text(const RunShape& shape, const Snapshot& interval) {
    std::string out;
    for (const Figure& figure : figures)
        if (figure.kind == Kind::counter && is_shown(figure, in_text) && is_known(figure, shape, When::running))
            out += fmt::format(
                "  {} {}", figure.label,
                grouped_rate_text(ratio(total_of(figure, shape, interval).get<double>(), interval.elapsed_s)));
    return out;
}

std::string share_text(double share) { return share < 0.0001 ? "under 0.01 %" : fmt::format("{:.2f} %", share * 100); }

/// An interval in which more probes of earlier ones were answered than were lost has no loss.
std::uint64_t lost_in(const Snapshot& interval) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(interval.lost, 0));
}

bool refused_beside_lost(const RunShape& shape, const Snapshot& interval) {
    return shape.sends && interval.engine.send_failed > 0 && !(shape.receives && shape.lost_is_unanswered);
}

std::string loss_text(const RunShape& shape, const Snapshot& interval) {
    std::string out;
    if (shape.receives && shape.verifies) {
        const std::uint64_t lost = lost_in(interval);
        out += "  lost " + grouped(lost);
        if (lost > 0) {
            const double share = ratio(static_cast<double>(lost), static_cast<double>(lost + interval.received));
            const LossPlaces places = loss_places(shape, interval);
            out += " (" + share_text(share) + ": ";
            if (shape.sends && shape.lost_is_unanswered)
                out += fmt::format("send queue {}, ", grouped(places.send_queue));
            const bool at_most = shape.drop_datagrams_max > 1 && places.receive_buffer > 0;
            out += fmt::format("receive buffer {}{}, path {})", at_most ? "up to " : "", grouped(places.receive_buffer),
                               grouped(places.path));
        }
    }
    if (refused_beside_lost(shape, interval)) out += "  refused " + grouped(interval.engine.send_failed);
    return out;
}

std::string cpu_text(const Snapshot& interval) {
    return fmt::format("  cpu {:.0f} %", ratio(interval.cpu_s, interval.elapsed_s) * 100);
}

/// Empty where nothing was measured.
std::string times_text(const RunShape& shape, const Snapshot& interval) {
    if (shape.histograms.empty() || interval.histograms.empty()) return "";
    if (interval.histograms.front().count() == 0) return "";
    std::string values;
    for (const Figure& figure : figures)
        if (figure.kind == Kind::percentile && is_shown(figure, in_text))
            values += fmt::format("{}{} {:.1f}", values.empty() ? "" : "  ", figure.label,
                                  total_of(figure, shape, interval).get<double>());
    return fmt::format("  {} {} us", shape.histograms.front(), values);
}

}  // namespace

std::string interval_text(const RunShape& shape, const Snapshot& interval, double elapsed_s) {
    return fmt::format("{:>4.0f} s", elapsed_s) + rates_text(shape, interval) + loss_text(shape, interval) +
           cpu_text(interval) + times_text(shape, interval);
}

LiveView::Style LiveView::style_of_stderr() {
    const std::string_view terminal = environment("TERM");
    if (isatty(STDERR_FILENO) == 0 || terminal.empty() || terminal == "dumb") return Style::plain;
    return environment("NO_COLOR").empty() ? Style::coloured : Style::terminal;
}

LiveView::LiveView(RunShape shape, Style style, std::FILE* out)
    : shape_(std::move(shape)), style_(style), utf8_(locale_is_utf8()), out_(out) {}

void LiveView::show(const Snapshot& now) {
    const Snapshot interval = interval_between(now, last_);
    if (style_ == Style::plain)
        write(interval_text(shape_, interval, now.elapsed_s) + '\n');
    else
        draw(now, interval);
    last_ = now;
}

void LiveView::draw(const Snapshot& now, const Snapshot& interval) {
    const std::size_t columns = columns_of(out_);
    std::string drawing;
    std::size_t lines = 0;
    const auto add_line = [&](const std::string& text, const char* colour) {
        if (text.empty()) return;
        const bool coloured = colour != nullptr && style_ == Style::coloured;
        drawing +=
            fmt::format("{}{}{}{}\n", coloured ? colour : "", text, coloured ? uncoloured : "", clear_to_end_of_line);
        ++lines;
    };
    const auto add_text = [&](const std::string& text, const char* colour) {
        add_line(text.substr(0, columns), colour);
    };
    const std::string indent(6, ' ');
    const auto indented = [&](const std::string& part) { return part.empty() ? "" : indent + part; };

    add_text(fmt::format("{:>4.0f} s", now.elapsed_s) + rates_text(shape_, interval) + cpu_text(interval), nullptr);
    const bool loss = (shape_.receives && lost_in(interval) > 0) || refused_beside_lost(shape_, interval);
    add_text(indented(loss_text(shape_, interval)), loss ? red : nullptr);
    const std::string times = indented(times_text(shape_, interval));
    add_text(times, nullptr);
    const std::string margin = indent + "  ";
    if (!times.empty() && columns > margin.size()) {
        const Histogram& all = now.histograms.front();
        const Spectrum spectrum =
            spectrum_of(interval.histograms.front(), all.min(), all.max(), columns - margin.size(), utf8_);
        if (!spectrum.bars.empty()) {
            add_line(margin + spectrum.bars, cyan);
            add_line(margin + spectrum.labels, nullptr);
        }
    }
    const std::string up = lines_drawn_ > 0 ? fmt::format("\033[{}A\r", lines_drawn_) : "";
    write(up + drawing + clear_below);
    lines_drawn_ = lines;
}

void LiveView::end() {
    if (lines_drawn_ == 0) return;
    write(fmt::format("\033[{}A\r{}", lines_drawn_, clear_below));
    lines_drawn_ = 0;
}

void LiveView::write(const std::string& text) {
    std::fputs(text.c_str(), out_);
    std::fflush(out_);
}

}  // namespace ringpost::apps
