#pragma once

// The table of everything a measured run counts or measures. All outputs are made from it: series.csv (written and
// read), progress events, the summary and run.json, the page, Prometheus, the live view, and what agents and the peer
// of --self exchange. A new figure is one row.

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "apps/cli/report.hpp"
#include "apps/runs/snapshot.hpp"

namespace ringpost::apps {

enum class Unit : std::uint8_t { datagrams, times, bytes, seconds, per_second, microseconds, percent };

enum class Kind : std::uint8_t {
    clock,       ///< time since the start; the longest of several engines
    counter,     ///< never decreases; adds up
    gauge,       ///< may decrease; adds up; a total below zero is shown as zero
    level,       ///< a state at one moment; the highest of several engines
    rate,        ///< of an interval: per second of it
    percentile,  ///< of the first histogram
};

/// Which runs know a figure.
enum class Known : std::uint8_t {
    always,
    sending,
    receiving,
    verifying,  ///< receiving; until the run has ended only with verification
    connected,  ///< with a connection of the native transport
};

enum class When : std::uint8_t { running, ended };

/// The chart of the page that shows a figure.
enum class Chart : std::uint8_t { none, rates, losses, processor, times };

/// Outputs that show a figure, as bits.
enum Output : std::uint8_t { nowhere = 0, in_series = 1, in_progress = 2, in_summary = 4, in_text = 8 };

/// A member of Snapshot or of its engine's counters, a number derived from a snapshot, or the percent of a percentile.
using Derived = std::int64_t (*)(const RunShape&, const Snapshot&);
using Source = std::variant<double Snapshot::*, std::uint64_t Snapshot::*, std::int64_t Snapshot::*,
                            std::uint64_t EngineCounters::*, Derived, double>;

/// In the order in which a row of the table reads.
// NOLINTBEGIN(clang-analyzer-optin.performance.Padding, readability-redundant-member-init)
struct Figure {
    std::string_view name;   ///< a column of series.csv, a member of events; see json_place()
    std::string_view label;  ///< for charts and the live view
    Unit unit;
    Kind kind;
    Known known;
    Source source;
    std::uint8_t outputs;
    Chart chart = Chart::none;
    std::string_view metric = {}, help = {};  ///< of Prometheus
};
// NOLINTEND(clang-analyzer-optin.performance.Padding, readability-redundant-member-init)

namespace derived {
std::int64_t datagrams_moved(const RunShape& shape, const Snapshot& snapshot);
std::int64_t lost_send_queue(const RunShape& shape, const Snapshot& snapshot);
std::int64_t lost_receive_buffer(const RunShape& shape, const Snapshot& snapshot);
std::int64_t lost_path(const RunShape& shape, const Snapshot& snapshot);
}  // namespace derived

/// The columns of series.csv are in this order.
inline constexpr Figure figures[] = {
    {"elapsed_s", "elapsed", Unit::seconds, Kind::clock, Known::always, &Snapshot::elapsed_s, in_series | in_progress},
    {"sent", "sent", Unit::datagrams, Kind::counter, Known::sending, &Snapshot::sent,
     in_series | in_progress | in_summary | in_text, Chart::rates, "ringpost_datagrams_sent_total", "Datagrams sent."},
    {"received", "received", Unit::datagrams, Kind::counter, Known::receiving, &Snapshot::received,
     in_series | in_progress | in_summary | in_text, Chart::rates, "ringpost_datagrams_received_total",
     "Datagrams received."},
    {"lost", "lost", Unit::datagrams, Kind::gauge, Known::verifying, &Snapshot::lost,
     in_series | in_progress | in_summary, Chart::none, "ringpost_datagrams_lost", "Datagrams lost."},
    {"rate_per_s", "rate", Unit::per_second, Kind::rate, Known::always, derived::datagrams_moved,
     in_series | in_progress},
    {"p50_us", "p50", Unit::microseconds, Kind::percentile, Known::always, 50.0, in_series | in_progress | in_text,
     Chart::times},
    {"p99_us", "p99", Unit::microseconds, Kind::percentile, Known::always, 99.0, in_series | in_progress | in_text,
     Chart::times},
    {"p999_us", "p99.9", Unit::microseconds, Kind::percentile, Known::always, 99.9, nowhere, Chart::times},
    {"max_us", "max", Unit::microseconds, Kind::percentile, Known::always, 100.0, in_series | in_progress | in_text,
     Chart::times},
    {"cpu_percent", "of one core", Unit::percent, Kind::rate, Known::always, &Snapshot::cpu_s, in_series | in_progress,
     Chart::processor},
    {"socket_dropped", "receive buffer full", Unit::times, Kind::counter, Known::receiving, &Snapshot::socket_dropped,
     in_series | in_progress | in_summary, Chart::none, "ringpost_receive_buffer_full_total",
     "Times that a receive buffer was full."},
    {"refused", "refused by the kernel", Unit::datagrams, Kind::counter, Known::sending, &EngineCounters::send_failed,
     in_series | in_progress, Chart::losses, "ringpost_datagrams_refused_total",
     "Datagrams that the kernel refused to send."},
    {"lost_send_queue", "lost in the send queue", Unit::datagrams, Kind::counter, Known::verifying,
     derived::lost_send_queue, in_progress | in_summary},
    {"lost_receive_buffer", "lost in receive buffers", Unit::datagrams, Kind::counter, Known::verifying,
     derived::lost_receive_buffer, in_series | in_progress | in_summary, Chart::losses},
    {"lost_path", "lost on the path", Unit::datagrams, Kind::counter, Known::verifying, derived::lost_path,
     in_series | in_progress | in_summary, Chart::losses},
    {"cpu_s", "processor time", Unit::seconds, Kind::counter, Known::always, &Snapshot::cpu_s, nowhere, Chart::none,
     "ringpost_cpu_seconds_total", "Processor time of the process."},
    {"waiting", "waiting for an answer", Unit::datagrams, Kind::gauge, Known::receiving, &Snapshot::waiting, in_series},
    {"path_rtt_smoothed_us", "smoothed round trip", Unit::microseconds, Kind::level, Known::connected,
     &Snapshot::rtt_smoothed_us, in_series | in_progress, Chart::none, "ringpost_path_rtt_smoothed_seconds",
     "Smoothed round trip of the connection (RFC 9002)."},
    {"path_window_bytes", "congestion window", Unit::bytes, Kind::level, Known::connected, &Snapshot::window_bytes,
     in_series | in_progress, Chart::none, "ringpost_path_window_bytes", "Congestion window of the connection."},
    {"path_in_flight_bytes", "in flight", Unit::bytes, Kind::level, Known::connected, &Snapshot::in_flight_bytes,
     in_series | in_progress, Chart::none, "ringpost_path_in_flight_bytes",
     "Bytes of the connection that are sent and not acknowledged."},
    {"connection_packets_lost", "packets lost", Unit::datagrams, Kind::counter, Known::connected,
     &Snapshot::packets_lost, in_series | in_progress, Chart::none, "ringpost_connection_packets_lost_total",
     "Packets of the connection that were called lost."},
    {"connection_bytes_resent", "bytes resent", Unit::bytes, Kind::counter, Known::connected, &Snapshot::bytes_resent,
     in_series | in_progress, Chart::none, "ringpost_connection_bytes_resent_total",
     "Bytes of messages that the connection has sent again."},
};

/// Whether the snapshot's member is this row's: a rate only derives from one.
constexpr bool holds_member(const Figure& figure) { return figure.kind != Kind::rate && figure.source.index() < 3; }

consteval std::size_t members_held() {
    std::size_t count = 0;
    for (const Figure& figure : figures) count += holds_member(figure);
    return count;
}
static_assert(sizeof(Snapshot) ==
                  members_held() * sizeof(double) + sizeof(Snapshot::engine) + sizeof(decltype(Snapshot::histograms)),
              "each number of a Snapshot has a row");

/// The member of a snapshot to which a source points.
template <class Number>
auto& member_of(auto& snapshot, Number Snapshot::* member) {
    return snapshot.*member;
}
template <class Number>
auto& member_of(auto& snapshot, Number EngineCounters::* member) {
    return snapshot.engine.*member;
}

/// Calls use(figure, member) for each row that holds a member of Snapshot.
template <class Use>
void for_each_member(const Use& use) {
    for (const Figure& figure : figures)
        if (holds_member(figure))
            std::visit(
                [&](auto source) {
                    if constexpr (std::is_member_object_pointer_v<decltype(source)>) use(figure, source);
                },
                figure.source);
}

/// Calls use(kind, number) for each number of a snapshot, the engine's included; number(snapshot) is a reference to it.
template <class Use>
void for_each_number(const Use& use) {
    const auto use_member = [&](Kind kind, auto member) {
        use(kind, [member](auto& snapshot) -> auto& { return member_of(snapshot, member); });
    };
    for_each_member([&](const Figure& figure, auto member) { use_member(figure.kind, member); });
    for (const auto& row : EngineCounters::table()) use_member(Kind::counter, row.member);
}

bool is_known(const Figure& figure, const RunShape& shape, When when);
constexpr bool is_shown(const Figure& figure, Output output) { return (figure.outputs & output) != 0; }

/// What lies between two snapshots of a run, which must outlive it.
struct Interval {
    Interval(const Snapshot& before_, const Snapshot& after_)
        : before(before_), after(after_), between(interval_between(after_, before_)) {}

    const Snapshot &before, &after;
    Snapshot between;
};

/// The value from the start of the run to `now`, or over whatever `now` covers. Null where nothing was measured.
Json total_of(const Figure& figure, const RunShape& shape, const Snapshot& now);
/// The value in an interval; of a clock, its end.
Json interval_of(const Figure& figure, const RunShape& shape, const Interval& interval);

/// Where an event or a summary has a figure: the object within it, "" for itself, and the member. `p50_us` of a run
/// whose first histogram is `response` is response_us.p50; `lost_path` is lost_in.path.
struct JsonPlace {
    std::string object, member;
};
JsonPlace json_place(const Figure& figure, const RunShape& shape);

/// The fields of a progress event: totals, but rates and percentiles are those of the interval.
Json progress_json(const RunShape& shape, const Interval& interval);
/// The figures of a summary. A sink without verification never knows what was lost: its figures are those known when
/// `running`.
Json summary_json(const RunShape& shape, const Snapshot& end, When when = When::ended);

/// Figures that progress and summary named differently have both names in both for one version: `response_us` and, to
/// be removed, `rtt_us`; `send_failed` and, to be removed, `refused`. Adds whichever is missing to an event or results.
void name_both_ways(Json& fields);

/// The first line of series.csv, and the line of an interval.
std::string series_head();
std::string series_line(const RunShape& shape, const Interval& interval);

}  // namespace ringpost::apps
