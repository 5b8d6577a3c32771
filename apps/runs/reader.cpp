#include "apps/runs/reader.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>
#include <type_traits>
#include <utility>

#include "apps/cli/options.hpp"
#include "apps/runs/figures.hpp"
#include "codec/base/limits.hpp"

namespace ringpost::apps {
namespace {

[[noreturn]] void refuse_file(const std::string& file, const std::string& reason) {
    throw Failure(Exit::usage, file + ": " + reason);
}

std::vector<std::string_view> fields_of(std::string_view line) {
    std::vector<std::string_view> fields;
    while (true) {
        const std::size_t comma = line.find(',');
        fields.push_back(line.substr(0, comma));
        if (comma == std::string_view::npos) return fields;
        line.remove_prefix(comma + 1);
    }
}

/// The figure of each column; null for a column of another version.
std::vector<const Figure*> columns_of(const std::string& path, std::string_view head) {
    std::vector<const Figure*> columns;
    for (const std::string_view name : fields_of(head)) {
        const Figure* const found = std::ranges::find(figures, name, &Figure::name);
        columns.push_back(found == std::end(figures) ? nullptr : found);
    }
    for (const char* needed : {"elapsed_s", "sent"})
        if (std::ranges::none_of(columns, [&](const Figure* each) { return each != nullptr && each->name == needed; }))
            refuse_file(path, "cannot be read, or is not the series of a run");
    return columns;
}

template <class Number>
Number parse_number(std::string_view field, const std::string& where) {
    Number number{};
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
    bool good = error == std::errc{} && end == field.data() + field.size();
    if constexpr (std::is_floating_point_v<Number>) good = good && std::isfinite(number) && number >= 0;
    if (!good) refuse_file(where, fmt::format("{}: expected a number", printable(field)));
    if constexpr (std::is_same_v<Number, std::int64_t>) {
        constexpr std::int64_t most = std::int64_t{1} << 40;
        if (number > most || number < -most) refuse_file(where, fmt::format("{}: out of range", number));
    }
    return number;
}

/// Reads the fields that hold a member of the snapshot, and restores the member behind a rate, once the length of the
/// interval is known. All other figures follow from these and from the .hlog files.
SeriesRow parse_row(const std::vector<const Figure*>& columns, const std::vector<std::string_view>& fields,
                    double last_s, const std::string& where) {
    // What a run without a receiver of its own does not know is an empty field.
    const RunShape least{.command = "", .receives = false, .histograms = {}};
    SeriesRow row;
    for (const bool rates : {false, true}) {
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const Figure* const figure = columns[i];
            if (figure == nullptr || (figure->kind == Kind::rate) != rates) continue;
            if (fields[i].empty() && !is_known(*figure, least, When::ended)) continue;
            std::visit(
                [&](auto member) {
                    if constexpr (std::is_member_object_pointer_v<decltype(member)>) {
                        auto& value = member_of(row.counted, member);
                        value = parse_number<std::remove_reference_t<decltype(value)>>(fields[i], where);
                        if constexpr (std::is_same_v<decltype(member), double Snapshot::*>)
                            if (rates) value *= row.length_s() / (figure->unit == Unit::percent ? 100 : 1);
                    }
                },
                figure->source);
        }
        if (rates) break;
        row.end_s = row.counted.elapsed_s;
        row.counted.elapsed_s -= last_s;
        if (row.length_s() < 0) refuse_file(where, "earlier than the line before");
    }
    return row;
}

/// An interval counts what was in flight at its end as lost, and a later one takes it back. Replaces the running total
/// by its minimum from then on, which is what had really been lost and never decreases.
void settle_lost(std::vector<SeriesRow>& rows) {
    std::int64_t missing = 0;
    for (SeriesRow& row : rows) row.counted.lost = missing += row.counted.lost;
    for (std::size_t i = rows.size(); i-- > 0; missing = rows[i].counted.lost)
        rows[i].counted.lost = std::min(rows[i].counted.lost, missing);
    for (std::size_t i = rows.size(); i-- > 1;) rows[i].counted.lost -= rows[i - 1].counted.lost;
}

/// The order of a run's histograms.
std::size_t place_of(const std::string& name) {
    constexpr std::array order{"response", "service", "path", "pickup", "one_way", "slip", "confirmed"};
    return static_cast<std::size_t>(std::ranges::find(order, name) - order.begin());
}

std::vector<std::string> recordings_in(const std::string& path) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(path, error))
        if (entry.path().extension() == ".hlog") names.push_back(entry.path().stem());
    std::ranges::sort(names, {}, [](const std::string& name) { return std::pair(place_of(name), name); });
    return names;
}

}  // namespace

std::vector<SeriesRow> read_series(const std::string& path) {
    std::ifstream lines(path);
    std::string line;
    std::getline(lines, line);
    const std::vector<const Figure*> columns = columns_of(path, line);
    std::vector<SeriesRow> rows;
    while (std::getline(lines, line)) {
        const std::string where = fmt::format("{}:{}", path, rows.size() + 2);
        const std::vector<std::string_view> fields = fields_of(line);
        if (fields.size() != columns.size()) refuse_file(where, "the number of fields differs from the first line");
        rows.push_back(parse_row(columns, fields, rows.empty() ? 0 : rows.back().end_s, where));
    }
    settle_lost(rows);
    return rows;
}

KeptRun read_run(const std::string& path) {
    const std::string file = path + "/run.json";
    std::ifstream text(file);
    if (!text) refuse_file(file, "cannot be read: not a directory of --out, or its run was interrupted");
    const Json kept = Json::parse(text, nullptr, false);
    const auto has = [&](const char* name) { return kept.contains(name) && kept[name].is_object(); };
    if (!kept.is_object() || kept.value("format", Json()) != "ringpost run 1" || !kept.contains("command") ||
        !kept["command"].is_string() || !has("configuration") || !has("environment") || !has("results"))
        refuse_file(file, "does not match apps/runs/run.schema.json");
    return {.path = path,
            .command = kept["command"],
            .configuration = kept["configuration"],
            .environment = kept["environment"],
            .results = kept["results"],
            .recordings = recordings_in(path),
            .series = read_series(path + "/series.csv")};
}

RunShape KeptRun::shape() const {
    const bool trains = environment.value("gro", Json(false)) == true;
    return {.command = command,
            .sends = true,
            .receives = results.contains("received"),
            .histograms = recordings,
            .lost_is_unanswered = command == "latency",
            .drop_datagrams_max = trains ? limits::train_segments_max : 1};
}

IntervalReader::IntervalReader(const KeptRun& run, const std::string& recording)
    : path_(run.path + "/" + recording + ".hlog"), lines_(path_) {
    if (!lines_) refuse_file(path_, "cannot be read");
}

std::optional<LoggedInterval> IntervalReader::next() {
    for (std::string line; std::getline(lines_, line);) {
        ++line_number_;
        auto interval = parse_histogram_log_line(line);
        if (!interval) refuse_file(fmt::format("{}:{}", path_, line_number_), interval.error());
        if (*interval) return std::move(*interval);
    }
    return std::nullopt;
}

std::vector<std::string> differences(const KeptRun& run, const KeptRun& from) {
    std::set<std::string> names;
    for (const KeptRun* each : {&run, &from})
        for (const auto& [name, value] : each->configuration.items()) names.insert(name);
    std::vector<std::string> found;
    for (const std::string& name : names) {
        const auto text = [&](const KeptRun& of) -> std::string {
            if (!of.configuration.contains(name)) return "the default";
            const Json& value = of.configuration[name];
            return value.is_string() ? printable(value.get<std::string>()) : value == true ? "given" : value.dump();
        };
        if (text(run) != text(from))
            found.push_back(fmt::format("{} {}, not {}", printable(name), text(run), text(from)));
    }
    return found;
}

}  // namespace ringpost::apps
