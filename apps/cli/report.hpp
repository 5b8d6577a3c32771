#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include <ringpost/counters.hpp>
#include "apps/cli/printable.hpp"
#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

using Json = nlohmann::ordered_json;

/// The output of a subcommand: results on standard output, as text or as one JSON object per line, and notes on
/// standard error. A result that cannot be written is a Failure; notes and progress that cannot be written are dropped.
/// Characters that a terminal must not get are escaped, except in text results for a pipe or a file.
class Report {
  public:
    enum class Form : std::uint8_t {
        text,
        json,
        silent,  ///< for the other end of a --self run, which would print the same again
    };
    explicit Report(Form form);
    Form form() const { return form_; }
    /// Stops all output except copied events.
    void silence() { form_ = Form::silent; }

    /// Prints {"event": NAME, ...} on a line and flushes. JSON form only.
    void event(const char* name, const Json& fields) const;
    /// The same, with the JSON text `raw` as the value of `member`, which `fields` has as null. The text is passed on
    /// in time linear in its size; a large object in `fields` would take longer.
    void event(const char* name, const Json& fields, std::string_view member, std::string_view raw) const;
    /// Copies every later event to a stream as well, in any form, and flushes it; null ends this.
    void copy_events(std::ostream* copy) { copy_ = copy; }
    /// Prints a result. Text form only.
    void print(const std::string& line) const;
    /// Prints a note on standard error. Text and JSON form.
    void note(const std::string& line) const;
    /// Prints progress on standard error; on a terminal it replaces the line before. Text form only.
    void progress(const std::string& line);
    void end_progress();

  private:
    void put_event(const std::string& object) const;

    Form form_;
    std::ostream* copy_ = nullptr;
    bool result_terminal_;  ///< standard output is a terminal
    bool terminal_;         ///< standard error is
    bool in_progress_ = false;
};

/// With thousands separators: 12,345,678.
std::string grouped(std::uint64_t number);
/// A rate: `20000/s`, below 100 with three significant digits: `12.3/s`, `0.4/s`.
std::string rate_text(double per_s);
/// The same with thousands separators.
std::string grouped_rate_text(double per_s);
/// part / whole, or 0 if `whole` is not positive.
double ratio(double part, double whole);
double seconds(Duration ns);

/// The percentiles of reports. The longest duration is the percentile 100.
struct ReportedPercentile {
    const char* name;   ///< in JSON
    const char* label;  ///< in text and in --fail-if
    double percent;
};
inline constexpr ReportedPercentile reported_percentiles[] = {
    {"p50", "p50", 50},      {"p90", "p90", 90},         {"p95", "p95", 95}, {"p99", "p99", 99},
    {"p999", "p99.9", 99.9}, {"p9999", "p99.99", 99.99}, {"max", "max", 100}};

/// Probes without an answer: each took longer than it was waited for, and longer than any with an answer.
struct LostProbes {
    std::uint64_t count = 0;
    Duration timeout = 0;
};

/// {"min","mean","p50","p90","p95","p99","p999","p9999","max"} in microseconds; null if nothing was recorded. With lost
/// probes, those that lie among them and the mean are null, and `lost_beyond` is the timeout in microseconds.
Json percentiles_us(const Histogram& histogram, const LostProbes& lost = {});
/// The same as text, with `p99 and above > 1 s` for those that lie among the lost probes.
std::string percentiles_text(const Histogram& histogram, const LostProbes& lost = {});
/// `250 us`, `1.5 s`: the shortest exact form.
std::string duration_text(Duration ns);

/// Ticks once per period and returns the time since the last tick, so that rates stay right after a stall.
class Ticker {
  public:
    Ticker(Instant start, Duration period) : last_(start), next_(start + period), period_(period) {}

    /// Seconds since the last tick if one is due.
    std::optional<double> tick(Instant at);
    Instant next() const { return next_; }

  private:
    Instant last_, next_;
    Duration period_;
};

/// Every counter of a layer, by name.
template <class Counters>
Json counters_json(const Counters& counters) {
    Json out = Json::object();
    for (const auto& row : Counters::table()) out[std::string(row.name)] = counters.*row.member;
    return out;
}

/// Adds every counter of a layer to a summary: {"counters": {LAYER: {NAME: count}}}.
template <class Counters>
void add_counters(Json& summary, const char* layer, const Counters& counters) {
    summary["counters"][layer] = counters_json(counters);
}

/// Adds the engine's counters; those of loss and refusal are also direct members.
void add_engine_counts(Json& counts, const EngineCounters& counters);
/// Adds `last_send_error` if the kernel has refused a datagram.
void note_send_error(Json& facts, const EngineCounters& counters);
/// Adds both.
void add_counters(Json& summary, const EngineCounters& counters);

}  // namespace ringpost::apps
