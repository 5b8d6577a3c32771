#include "apps/cli/report.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "apps/cli/options.hpp"
#include "codec/base/utf8.hpp"

namespace ringpost::apps {

namespace {

/// Throws if the line could not be written.
void put(const std::string& line) {
    fmt::print("{}\n", line);
    if (std::fflush(stdout) != 0) throw Failure(Exit::failed, "standard output: cannot be written");
}

}  // namespace

Report::Report(Form form) : form_(form), terminal_(isatty(STDERR_FILENO) != 0) {}

void Report::event(const char* name, const Json& fields) const {
    if (form_ != Form::json && copy_ == nullptr) return;
    Json object = {{"event", name}};
    object.update(fields);
    // Bytes that are not UTF-8 become U+FFFD; by default dump() would throw.
    const std::string line = object.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (copy_ != nullptr) *copy_ << line << '\n' << std::flush;
    if (form_ == Form::json) put(line);
}

void Report::print(const std::string& line) const {
    if (form_ != Form::text) return;
    put(line);
}

void Report::note(const std::string& line) const {
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

std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = [&](std::size_t k) {
            return static_cast<unsigned char>(i + k < text.size() ? text[i + k] : 0);
        };
        std::size_t length = byte(0) < 0x80 ? 1 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
        const bool broken = !is_utf8(text.substr(i, length));
        if (broken) length = 1;
        const bool separator_or_bidi = byte(0) == 0xe2 && ((byte(1) == 0x80 && byte(2) >= 0xa8 && byte(2) <= 0xae) ||
                                                           (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9));
        const bool control =
            byte(0) < 0x20 || byte(0) == 0x7f || byte(0) == '\\' || (byte(0) == 0xc2 && byte(1) < 0xa0);
        for (std::size_t k = 0; k < length; ++k)
            out += broken || control || separator_or_bidi ? fmt::format("\\x{:02x}", byte(k))
                                                          : std::string(1, text[i + k]);
        i += length;
    }
    return out;
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
            return fmt::format("{:g} {}", static_cast<double>(ns) / static_cast<double>(unit.length), unit.name);
    return fmt::format("{} ns", ns);
}

Json percentiles_us(const Histogram& histogram, const LostProbes& lost) {
    const auto exact = [](std::optional<Duration> ns) { return ns ? Json(us(*ns)) : Json(); };
    Json out = {{"min", histogram.count() > 0 ? Json(us(histogram.min())) : Json()}};
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
