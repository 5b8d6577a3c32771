#include "apps/report.hpp"

#include <unistd.h>

#include <cstdio>

namespace ringpost::apps {

Report::Report(Form form) : form_(form), terminal_(isatty(STDERR_FILENO) != 0) {}

void Report::event(const char* name, Json fields) const {
    if (form_ != Form::json) return;
    Json object = {{"event", name}};
    object.update(fields);
    fmt::print("{}\n", object.dump());
    std::fflush(stdout);
}

void Report::print(const std::string& line) const {
    if (form_ != Form::text) return;
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

void Report::say(const std::string& line) const {
    if (form_ != Form::silent) fmt::print(stderr, "ringpost: {}\n", line);
}

void Report::progress(const std::string& line) {
    if (form_ != Form::text) return;
    if (terminal_)
        fmt::print(stderr, "\r\033[K{}", line);
    else
        fmt::print(stderr, "{}\n", line);
    std::fflush(stderr);
    in_progress_ = terminal_;
}

void Report::end_progress() {
    if (in_progress_) fmt::print(stderr, "\r\033[K");
    in_progress_ = false;
}

std::string grouped(std::uint64_t number) {
    std::string text = fmt::format("{}", number);
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
    return text;
}

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

double seconds(Duration ns) { return static_cast<double>(ns) / 1e9; }

namespace {

constexpr struct {
    const char* name;
    const char* label;
    double percent;
} shown_percentiles[] = {
    {"p50", "p50", 50}, {"p90", "p90", 90}, {"p99", "p99", 99}, {"p999", "p99.9", 99.9}, {"p9999", "p99.99", 99.99}};

double us(Duration ns) { return static_cast<double>(ns) / 1e3; }

}  // namespace

Json percentiles_us(const Histogram& histogram) {
    Json out = {{"min", us(histogram.min())}};
    for (const auto& shown : shown_percentiles) out[shown.name] = us(histogram.percentile(shown.percent));
    out["max"] = us(histogram.max());
    return out;
}

std::string percentiles_text(const Histogram& histogram) {
    std::string out = fmt::format("min {:.1f}", us(histogram.min()));
    for (const auto& shown : shown_percentiles)
        out += fmt::format("  {} {:.1f}", shown.label, us(histogram.percentile(shown.percent)));
    return out + fmt::format("  max {:.1f} us", us(histogram.max()));
}

void add_counters(Json& summary, const Counters& counters) {
    summary["send_failed"] = counters.send_failed;
    summary["trains_refused"] = counters.trains_refused;
    summary["send_retried"] = counters.send_retried;
    summary["unreachable"] = counters.unreachable;
    summary["truncated"] = counters.truncated;
    summary["receive_failed"] = counters.receive_failed;
}

}  // namespace ringpost::apps
