#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include <ringpost/counters.hpp>
#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

using Json = nlohmann::ordered_json;

/// Where a subcommand speaks: results on standard output, as text or as one JSON object a line; chatter on standard
/// error.
class Report {
  public:
    enum class Form : std::uint8_t {
        text,
        json,
        silent,  ///< for the other end of a --self run, which would only say the same again
    };
    explicit Report(Form form);
    Form form() const { return form_; }
    /// From now on nothing is told, but for copied events.
    void silence() { form_ = Form::silent; }

    /// JSON only: {"event": NAME, ...} and a newline, flushed.
    void event(const char* name, const Json& fields) const;
    /// From now on every event goes there too, whatever the form, and at once; null: no longer.
    void copy_events(std::ostream* copy) { copy_ = copy; }
    /// Text only: a result.
    void print(const std::string& line) const;
    /// Chatter, whichever the form of the results.
    void note(const std::string& line) const;
    /// Chatter that the next one replaces on a terminal, and a line of its own elsewhere. Text only.
    void progress(const std::string& line);
    void end_progress();

  private:
    Form form_;
    std::ostream* copy_ = nullptr;
    bool terminal_;
    bool in_progress_ = false;
};

/// What a stranger says must not steer the terminal: control characters (C0, C1, DEL), line and paragraph separators,
/// bidirectional overrides and the backslash that marks all these are shown as \x and hex digits. `text` is UTF-8.
std::string printable(std::string_view text);

/// 12,345,678
std::string grouped(std::uint64_t number);
/// 0 where nothing can be divided by.
double ratio(double part, double whole);
double seconds(Duration ns);

/// {"min","p50","p90","p99","p999","p9999","max"} in microseconds; null where nothing was recorded.
Json percentiles_us(const Histogram& histogram);
std::string percentiles_text(const Histogram& histogram);

/// Says when a period has passed, and how long it really was: a progress line must not take a stall for a rate.
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

/// The engine's counters that tell of loss or refusal; why the kernel refused last, if it did; and both, added to a
/// summary.
Json engine_counts(const EngineCounters& counters);
void note_send_error(Json& facts, const EngineCounters& counters);
void add_counters(Json& summary, const EngineCounters& counters);

}  // namespace ringpost::apps
