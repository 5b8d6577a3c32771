#include "apps/cli/report.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "apps/cli/failure.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {

namespace {

/// How often a thread whose output nobody reads checks for a signal, and how long it still waits after one.
constexpr int signal_check_ms = 50;
constexpr Duration wait_after_signal = 250 * millisecond;

/// Standard output and standard error that nobody read after a signal: further output does not wait again.
std::atomic<bool> given_up[3];

/// Waits until the descriptor takes a part of the output that does not block. False if nobody reads after a signal.
bool wait_for_room(int fd) {
    Instant give_up_at = never;
    while (true) {
        pollfd writable{fd, POLLOUT, 0};
        if (::poll(&writable, 1, given_up[fd] ? 0 : signal_check_ms) > 0) return true;
        if (given_up[fd]) return false;
        if (received_signal() == 0) continue;
        if (give_up_at == never) give_up_at = now() + wait_after_signal;
        if (now() >= give_up_at) given_up[fd] = true;
    }
}

enum class Written : std::uint8_t { all, failed, not_read };

/// A pipe that is ready takes PIPE_BUF bytes without blocking, so that this thread never blocks for longer than it
/// checks for signals, which may arrive on another thread.
Written write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        if (!wait_for_room(fd)) return Written::not_read;
        const ssize_t written = ::write(fd, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
        if (written >= 0)
            text.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EAGAIN && errno != EINTR)
            return Written::failed;
    }
    return Written::all;
}

/// Throws if the line could not be written.
void put(const std::string& line) {
    switch (write_all(STDOUT_FILENO, line + '\n')) {
        case Written::all: return;
        case Written::failed: fail_to_write();
        case Written::not_read:
            throw Failure(exit_code(Exit::failed), "standard output: nobody reads it, the rest is lost");
    }
}

/// Bytes that are not UTF-8 become U+FFFD; by default dump() would throw.
std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// A diagnostic that cannot be written is lost; the work goes on.
void write_diagnostic(const std::string& text) { write_all(STDERR_FILENO, text); }

}  // namespace

void fail_to_write() { throw Failure(Exit::failed, "standard output: cannot be written"); }

void diagnose(std::string_view line) { write_diagnostic(fmt::format("ringpost: {}\n", printable_line(line))); }

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
    if (form_ == Form::json) put(line);
}

void Report::print(const std::string& line) const {
    if (form_ != Form::text) return;
    put(result_terminal_ ? printable_line(line) : line);
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
