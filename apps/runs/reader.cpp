#include "apps/runs/reader.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>
#include <utility>

#include "apps/cli/options.hpp"
#include "apps/runs/series.hpp"
#include "codec/base/limits.hpp"

namespace ringpost::apps {
namespace {

[[noreturn]] void refuse_file(const std::string& file, const std::string& reason) {
    throw Failure(Exit::usage, file + ": " + reason);
}

/// Takes the text up to the next comma off `rest` and reads all of it as a number.
template <class Number>
Number take_number(std::string_view& rest, const std::string& where) {
    const std::string_view field = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(field.size() + 1, rest.size()));
    Number number{};
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
    bool good = error == std::errc{} && end == field.data() + field.size();
    if constexpr (std::is_floating_point_v<Number>) good = good && std::isfinite(number) && number >= 0;
    if (!good) refuse_file(where, fmt::format("{}: expected a number", printable(field)));
    return number;
}

/// What a run did not know is an empty field.
template <class Number>
Number take_number_if_any(std::string_view& rest, const std::string& where) {
    if (!rest.starts_with(',')) return take_number<Number>(rest, where);
    rest.remove_prefix(1);
    return {};
}

std::string_view without_fields(std::string_view rest, int count) {
    for (; count > 0; --count) rest.remove_prefix(std::min(rest.find(','), rest.size() - 1) + 1);
    return rest;
}

/// What was under way at the end of an interval is among its lost, and is taken off a later one. Up to then no more can
/// have been lost than was missing at any later time: the least of that is told instead, which is never less than
/// before.
void settle_lost(std::vector<SeriesRow>& rows) {
    std::int64_t missing = 0;
    for (SeriesRow& row : rows) row.lost = missing += row.lost;
    for (std::size_t i = rows.size(); i-- > 0; missing = rows[i].lost) rows[i].lost = std::min(rows[i].lost, missing);
    for (std::size_t i = rows.size(); i-- > 1;) rows[i].lost -= rows[i - 1].lost;
}

std::vector<SeriesRow> read_series(const std::string& path) {
    std::ifstream lines(path);
    std::string line;
    if (!std::getline(lines, line) || line != series_head)
        refuse_file(path, "cannot be read, or is no series of a run");
    std::vector<SeriesRow> rows;
    double last_s = 0;
    while (std::getline(lines, line)) {
        const std::string where = fmt::format("{}:{}", path, rows.size() + 2);
        if (std::count(line.begin(), line.end(), ',') != std::count(series_head, series_head + sizeof series_head, ','))
            refuse_file(where, "not as many fields as the first line names");
        std::string_view rest = line;
        SeriesRow row;
        row.elapsed_s = take_number<double>(rest, where);
        row.sent = take_number<std::uint64_t>(rest, where);
        row.received = take_number_if_any<std::uint64_t>(rest, where);
        row.lost = take_number_if_any<std::int64_t>(rest, where);
        rest = without_fields(rest, 4);  // the rate and percentiles follow from the rest and the .hlog
        row.cpu_percent = take_number<double>(rest, where);
        row.socket_dropped = take_number_if_any<std::uint64_t>(rest, where);
        row.refused = take_number<std::uint64_t>(rest, where);  // where the loss was follows from all of these
        row.length_s = row.elapsed_s - last_s;
        constexpr std::int64_t lost_max = std::int64_t{1} << 40;
        if (row.lost > lost_max || row.lost < -lost_max) refuse_file(where, fmt::format("{} lost: no count", row.lost));
        if (row.length_s < 0) refuse_file(where, "earlier than the line before");
        last_s = row.elapsed_s;
        rows.push_back(row);
    }
    settle_lost(rows);
    return rows;
}

/// The order in which runs tell of their histograms.
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

KeptRun read_run(const std::string& path) {
    const std::string file = path + "/run.json";
    std::ifstream text(file);
    if (!text) refuse_file(file, "cannot be read: not a directory of --out, or its run was broken off");
    const Json told = Json::parse(text, nullptr, false);
    const auto has = [&](const char* name) { return told.contains(name) && told[name].is_object(); };
    if (!told.is_object() || told.value("format", Json()) != "ringpost run 1" || !told.contains("command") ||
        !told["command"].is_string() || !has("configuration") || !has("environment") || !has("results"))
        refuse_file(file, "is not as apps/runs/run.schema.json has it");
    return {.path = path,
            .command = told["command"],
            .configuration = told["configuration"],
            .environment = told["environment"],
            .results = told["results"],
            .recordings = recordings_in(path),
            .series = read_series(path + "/series.csv")};
}

RunShape KeptRun::shape() const {
    const bool trains = environment.value("gro", Json(false)) == true;
    return {.command = command,
            .sends = true,
            .hears = results.contains("received"),
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
