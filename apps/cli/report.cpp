#include "apps/cli/report.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "apps/cli/output.hpp"

namespace ringpost::apps {

namespace {

/// Bytes that are not UTF-8 become U+FFFD; by default dump() would throw.
std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

Report::Report(Form form)
    : form_(form), result_terminal_(isatty(STDOUT_FILENO) != 0), terminal_(isatty(STDERR_FILENO) != 0) {}

void Report::event(const char* name, const Json& fields) const {
    if (form_ != Form::json && copy_ == nullptr) return;
    Json object = {{"event", name}};
    object.update(fields);
    put_event(dumped(object));
}

void Report::event(const char* name, const Json& fields, std::string_view member, std::string_view raw) const {
    if (form_ != Form::json && copy_ == nullptr) return;
    std::string object = "{\"event\":" + dumped(name);
    for (const auto& [key, value] : fields.items())
        object.append(",").append(dumped(key)).append(":").append(key == member ? raw : dumped(value));
    put_event(object + '}');
}

void Report::put_event(const std::string& object) const {
    const std::string line = printable_json(object);
    if (copy_ != nullptr) *copy_ << line << '\n' << std::flush;
    if (form_ == Form::json) put_line(line);
}

void Report::print(const std::string& line) const {
    if (form_ != Form::text) return;
    put_line(result_terminal_ ? printable_line(line) : line);
}

void Report::note(const std::string& line) const {
    if (form_ != Form::silent) diagnose(line);
}

void Report::progress(const std::string& line) {
    if (form_ != Form::text) return;
    const std::string text = printable_line(line);
    write_diagnostic(terminal_ ? "\r\033[K" + text : text + '\n');
    in_progress_ = terminal_;
}

void Report::end_progress() {
    if (in_progress_) write_diagnostic("\r\033[K");
    in_progress_ = false;
}

std::string grouped(std::uint64_t number) {
    const std::string digits = fmt::format("{}", number);
    std::string out;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
        out += digits[i];
    }
    return out;
}

namespace {

constexpr double whole_rates_from = 99.5;

}  // namespace

std::string rate_text(double per_s) {
    return per_s < whole_rates_from ? fmt::format("{:.3g}/s", per_s) : fmt::format("{:.0f}/s", per_s);
}

std::string grouped_rate_text(double per_s) {
    return per_s < whole_rates_from ? rate_text(per_s)
                                    : grouped(static_cast<std::uint64_t>(std::llround(per_s))) + "/s";
}

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

double seconds(Duration ns) { return static_cast<double>(ns) / 1e9; }

namespace {

double us(Duration ns) { return static_cast<double>(ns) / 1e3; }

}  // namespace

std::string duration_text(Duration ns) {
    constexpr struct {
        Duration length;
        const char* name;
    } units[] = {{second, "s"}, {millisecond, "ms"}, {microsecond, "us"}};
    for (const auto& unit : units)
        if (ns >= unit.length)
            return fmt::format("{} {}", static_cast<double>(ns) / static_cast<double>(unit.length), unit.name);
    return fmt::format("{} ns", ns);
}

Json percentiles_us(const Histogram& histogram, const LostProbes& lost) {
    const auto exact = [](std::optional<Duration> ns) { return ns ? Json(us(*ns)) : Json(); };
    const bool any = histogram.count() > 0;
    Json out = {{"min", any ? Json(us(histogram.min())) : Json()},
                {"mean", any && lost.count == 0 ? Json(histogram.mean() / 1e3) : Json()}};
    for (const auto& reported : reported_percentiles)
        out[reported.name] = exact(percentile_with_lost(histogram, reported.percent, lost.count));
    if (lost.count > 0) out["lost_beyond"] = us(lost.timeout);
    return out;
}

std::string percentiles_text(const Histogram& histogram, const LostProbes& lost) {
    if (histogram.count() == 0) return "nothing measured";
    std::string out = fmt::format("min {:.1f}", us(histogram.min()));
    for (const auto& reported : reported_percentiles) {
        const auto value = percentile_with_lost(histogram, reported.percent, lost.count);
        if (!value)
            return out + fmt::format(" us  {}{} > {}", reported.label, reported.percent < 100 ? " and above" : "",
                                     duration_text(lost.timeout));
        out += fmt::format("  {} {:.1f}", reported.label, us(*value));
    }
    if (lost.count == 0) out += fmt::format("  mean {:.1f}", histogram.mean() / 1e3);
    return out + " us";
}

std::optional<double> Ticker::tick(Instant at) {
    if (at < next_) return std::nullopt;
    const double elapsed_s = seconds(at - last_);
    last_ = at;
    // Missed ticks are skipped; the next tick is at least half a period away.
    next_ += period_ * ((at - next_ + period_ / 2) / period_ + 1);
    return elapsed_s;
}

void add_engine_counts(Json& counts, const EngineCounters& counters) {
    counts.update({{"send_failed", counters.send_failed},
                   {"trains_refused", counters.trains_refused},
                   {"send_retried", counters.send_retried},
                   {"unreachable", counters.unreachable},
                   {"not_allowed", counters.not_allowed},
                   {"truncated", counters.truncated},
                   {"receive_failed", counters.receive_failed}});
    add_counters(counts, "engine", counters);
}

void note_send_error(Json& facts, const EngineCounters& counters) {
    if (counters.send_failed > 0) facts["last_send_error"] = std::strerror(counters.last_send_errno);
}

void add_counters(Json& summary, const EngineCounters& counters) {
    add_engine_counts(summary, counters);
    note_send_error(summary, counters);
}

}  // namespace ringpost::apps
