#include "apps/runs/reader.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "apps/cli/failure.hpp"
#include "apps/cli/json.hpp"
#include "apps/cli/text_lines.hpp"
#include "apps/runs/figures.hpp"
#include "codec/base/limits.hpp"
#include "codec/base/siphash.hpp"

namespace ringpost::apps {
namespace {

[[noreturn]] void refuse_file(const std::string& file, const std::string& reason) {
    throw Failure(Exit::usage, file + ": " + reason);
}

/// Reads a line without its line end, which may be CR LF, and without a byte order mark in front of the file.
bool next_line(std::istream& file, std::string& line, bool first) {
    if (!std::getline(file, line)) return false;
    if (line.ends_with('\r')) line.pop_back();
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (first && line.starts_with(byte_order_mark)) line.erase(0, byte_order_mark.size());
    return true;
}

/// Without spaces around it and without quotes.
std::string_view bare(std::string_view field) {
    while (field.starts_with(' ') || field.starts_with('\t')) field.remove_prefix(1);
    while (field.ends_with(' ') || field.ends_with('\t')) field.remove_suffix(1);
    if (field.size() >= 2 && field.starts_with('"') && field.ends_with('"')) return field.substr(1, field.size() - 2);
    return field;
}

std::vector<std::string_view> fields_of(std::string_view line) {
    std::vector<std::string_view> fields;
    while (true) {
        const std::size_t comma = line.find(',');
        fields.push_back(bare(line.substr(0, comma)));
        if (comma == std::string_view::npos) return fields;
        line.remove_prefix(comma + 1);
    }
}

struct SeriesColumn {
    std::string name;
    const Figure* figure = nullptr;  ///< null for a column of another version
};

std::vector<SeriesColumn> columns_of(const std::string& where, std::string_view head) {
    std::vector<SeriesColumn> columns;
    for (const std::string_view name : fields_of(head)) {
        const Figure* const found = std::ranges::find(figures, name, &Figure::name);
        // Each figure once, so that few columns are searched for.
        if (found != std::end(figures) && std::ranges::find(columns, name, &SeriesColumn::name) != columns.end())
            refuse_file(where, fmt::format("the column {} is there twice", name));
        columns.push_back({std::string(name), found == std::end(figures) ? nullptr : found});
    }
    for (const char* needed : {"elapsed_s", "sent"})
        if (std::ranges::none_of(columns, [&](const SeriesColumn& each) { return each.name == needed; }))
            refuse_file(where, fmt::format("no column {}: not the series of a run", needed));
    return columns;
}

template <class Number>
Number parse_number(std::string_view field, const std::string& where) {
    Number number{};
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
    bool good = error == std::errc{} && end == field.data() + field.size();
    if constexpr (std::is_floating_point_v<Number>) good = good && std::isfinite(number) && number >= 0;
    if (!good)
        refuse_file(where, field.empty() ? "is empty; expected a number"
                                         : fmt::format("{}: expected a number", printable(field)));
    if constexpr (std::is_same_v<Number, std::int64_t>) {
        constexpr std::int64_t most = std::int64_t{1} << 40;
        if (number > most || number < -most) refuse_file(where, fmt::format("{}: out of range", number));
    }
    return number;
}

/// Reads the fields that hold a member of the snapshot, and restores the member behind a rate, once the length of the
/// interval is known. All other figures follow from these and from the .hlog files.
SeriesRow parse_row(const std::vector<SeriesColumn>& columns, const std::vector<std::string_view>& fields,
                    double last_s, const std::string& where, bool sends) {
    // What a run without a receiver of its own does not know is an empty field.
    const RunShape least{.command = "", .sends = sends, .receives = false, .histograms = {}};
    SeriesRow row;
    for (const bool rates : {false, true}) {
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const Figure* const figure = columns[i].figure;
            if (figure == nullptr || (figure->kind == Kind::rate) != rates) continue;
            if (fields[i].empty() && !is_known(*figure, least, When::ended)) continue;
            std::visit(
                [&](auto member) {
                    if constexpr (std::is_member_object_pointer_v<decltype(member)>) {
                        auto& value = member_of(row.counted, member);
                        value = parse_number<std::remove_reference_t<decltype(value)>>(
                            fields[i], fmt::format("{}: {}", where, columns[i].name));
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

/// An interval counts what was in flight at its end as lost, and a later one takes it back. `waiting` is the part of
/// the total that was sent in the interval; without it, the total at the end of the next interval is what was lost of
/// everything sent up to the end of this one. At the end of the run nothing waits: the last two intervals share what is
/// left by how much they sent. Answers that are later still make the total fall; it is replaced by its
/// minimum from then on, which is what had really been lost and never decreases.
void settle_lost(std::vector<SeriesRow>& rows) {
    const bool waiting_known = std::ranges::any_of(rows, [](const SeriesRow& row) { return row.counted.waiting != 0; });
    std::int64_t total = 0, waiting = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        total += rows[i].counted.lost;
        waiting += std::exchange(rows[i].counted.waiting, 0);
        rows[i].counted.lost = total;
        if (waiting_known && i > 0) rows[i - 1].counted.lost = total - waiting;
    }
    if (waiting_known && rows.size() > 1) {
        SeriesRow &last_but_one = rows[rows.size() - 2], &last = rows.back();
        const std::int64_t before = rows.size() > 2 ? rows[rows.size() - 3].counted.lost : 0;
        const auto sent = static_cast<double>(last_but_one.counted.sent);
        const double share = ratio(sent, sent + static_cast<double>(last.counted.sent));
        last_but_one.counted.lost =
            before + static_cast<std::int64_t>(std::llround(static_cast<double>(total - before) * share));
    }
    for (std::size_t i = rows.size(); i-- > 0; total = rows[i].counted.lost)
        rows[i].counted.lost = std::min(rows[i].counted.lost, total);
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

/// The same for every copy of a run.
std::string id_of_content(const std::string& path, const std::vector<std::string>& recordings) {
    std::string content;
    const auto append = [&](const std::string& name) {
        std::ifstream file(path + "/" + name);
        content.append(std::istreambuf_iterator<char>(file), {});
    };
    append("run.json");
    append("series.csv");
    for (const std::string& name : recordings) append(name + ".hlog");
    return fmt::format("content-{:016x}", siphash({}, std::as_bytes(std::span(content))));
}

/// Options for how much to measure, not what.
constexpr const char* amounts[] = {"duration", "count", "warmup", "seed"};

}  // namespace

std::vector<SeriesRow> read_series(const std::string& path, bool sends) {
    std::ifstream file(path);
    std::string line;
    if (!file || !next_line(file, line, true)) refuse_file(path, file.is_open() ? "is empty" : "cannot be read");
    const std::vector<SeriesColumn> columns = columns_of(path + ":1", line);
    std::vector<SeriesRow> rows;
    std::size_t empty_lines = 0;
    while (next_line(file, line, false)) {
        if (line.empty()) {  // allowed at the end only
            ++empty_lines;
            continue;
        }
        const std::string where = fmt::format("{}:{}", path, rows.size() + 2);
        const std::vector<std::string_view> fields = fields_of(line);
        if (empty_lines > 0) refuse_file(where, "is empty");
        if (fields.size() < columns.size())
            refuse_file(where, fmt::format("no field for the column {}", printable(columns[fields.size()].name)));
        if (fields.size() > columns.size())
            refuse_file(where,
                        fmt::format("{} fields, but the first line names {} columns", fields.size(), columns.size()));
        rows.push_back(parse_row(columns, fields, rows.empty() ? 0 : rows.back().end_s, where, sends));
    }
    settle_lost(rows);
    if (!sends)
        for (SeriesRow& row : rows)
            row.counted.sent =
                row.counted.received + static_cast<std::uint64_t>(std::max<std::int64_t>(row.counted.lost, 0));
    return rows;
}

KeptRun read_run(const std::string& path) {
    const std::string file = path + "/run.json";
    const auto text = contents_of(file);
    if (!text) refuse_file(file, "cannot be read: not a directory of --out, or its run was interrupted");
    const Json kept = parse_json(*text).value_or(Json());
    const auto has = [&](const char* name) { return kept.contains(name) && kept[name].is_object(); };
    if (!kept.is_object() || kept.value("format", Json()) != "ringpost run 1" || !kept.contains("command") ||
        !kept["command"].is_string() || !has("configuration") || !has("environment") || !has("results"))
        refuse_file(file, "does not match apps/runs/run.schema.json");
    const Json id = kept.value("id", Json());
    std::vector<std::string> merged_from;
    for (const Json& each : kept.value("merged_from", Json::array()))
        if (each.is_string()) merged_from.push_back(each);
    std::vector<std::string> recordings = recordings_in(path);
    return {.path = path,
            .id = id.is_string() ? id.get<std::string>() : id_of_content(path, recordings),
            .merged_from = std::move(merged_from),
            .command = kept["command"],
            .configuration = kept["configuration"],
            .environment = kept["environment"],
            .results = kept["results"],
            .recordings = std::move(recordings),
            .series = read_series(path + "/series.csv", kept["command"] != "sink")};
}

void refuse_same_run(const std::vector<KeptRun>& runs) {
    std::map<std::string, const KeptRun*> seen;
    const auto see = [&](const std::string& id, const KeptRun& run, const char* what) {
        const auto [at, is_new] = seen.emplace(id, &run);
        if (!is_new) throw Failure(Exit::usage, fmt::format("{} and {}: {}", at->second->path, run.path, what));
    };
    for (const KeptRun& run : runs) see(run.id, run, "the same run");
    for (const KeptRun& run : runs)
        for (const std::string& part : run.merged_from) see(part, run, "one run is part of both");
}

void refuse_other_measurement(const KeptRun& run, const KeptRun& first) {
    std::vector<std::string> found = differences(run, first);
    std::erase_if(found, [](const std::string& text) {
        return std::ranges::any_of(amounts,
                                   [&](const char* name) { return text.starts_with(std::string(name) + " "); });
    });
    if (run.command != first.command)
        found.insert(found.begin(), fmt::format("{}, not {}", run.command, first.command));
    if (run.recordings != first.recordings) found.emplace_back("other histograms");
    if (!found.empty())
        throw Failure(Exit::usage,
                      fmt::format("{}: measured something else than {}: {}", run.path, first.path, found[0]));
}

RunShape KeptRun::shape() const {
    const bool trains = environment.value("gro", Json(false)) == true;
    return {.command = command,
            .sends = true,
            .receives = results.contains("received") && !far_known(),
            .histograms = recordings,
            .lost_is_unanswered = command == "latency",
            .drop_datagrams_max = trains ? limits::train_segments_max : 1};
}

std::optional<bool> KeptRun::far_known() const {
    const Json found = results.value("far_known", Json());
    return found.is_boolean() ? std::optional(found.get<bool>()) : std::nullopt;
}

std::string KeptRun::invalid_reason() const {
    if (results.value("valid", Json(true)) != false) return "";
    const Json reason = results.value("invalid_reason", Json());
    return reason.is_string() ? printable(reason.get<std::string>()) : "no reason is given";
}

std::uint64_t KeptRun::unanswered() const {
    if (recordings.empty() || recordings[0] != "response") return 0;
    std::int64_t sum = 0;
    for (const SeriesRow& row : series) sum += row.counted.lost;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(sum, 0));
}

double KeptRun::timeout_us() const {
    constexpr double default_us = 1e6;
    const Json given = results.value("timeout_us", Json());
    return given.is_number() && given > 0 ? given.get<double>() : default_us;
}

IntervalReader::IntervalReader(const KeptRun& run, const std::string& recording)
    : path_(run.path + "/" + recording + ".hlog"), lines_(path_) {
    if (!lines_) refuse_file(path_, "cannot be read");
}

std::optional<LoggedInterval> IntervalReader::next() {
    for (std::string line; next_line(lines_, line, line_number_ == 0);) {
        ++line_number_;
        auto interval = parse_histogram_log_line(line);
        if (!interval) refuse_file(fmt::format("{}:{}", path_, line_number_), interval.error());
        if (*interval) return std::move(*interval);
    }
    return std::nullopt;
}

std::vector<std::string> differences(const KeptRun& run, const KeptRun& from) {
    std::map<std::string, std::array<std::optional<std::string>, 2>> texts;  // of both runs by option
    for (const std::size_t side : {0u, 1u})
        for (const auto& [name, value] : (side == 0 ? run : from).configuration.items())
            texts[name][side] = value.is_string() ? printable(value.get<std::string>())
                                : value == true   ? "given"
                                                  : value.dump();
    std::vector<std::string> found;
    for (const auto& [name, sides] : texts) {
        const std::string first = sides[0].value_or("the default"), second = sides[1].value_or("the default");
        if (first != second) found.push_back(fmt::format("{} {}, not {}", printable(name), first, second));
    }
    return found;
}

std::vector<std::string> environment_differences(const KeptRun& run, const KeptRun& from) {
    std::vector<std::string> found;
    for (const char* name : {"ringpost", "kernel", "machine", "cpu", "cores", "governor", "backend"}) {
        const Json value = run.environment.value(name, Json()), other = from.environment.value(name, Json());
        if (value.is_null() || other.is_null() || value == other) continue;
        const auto text = [](const Json& of) {
            const std::string words = of.is_string() ? printable(of.get<std::string>()) : of.dump();
            return words.empty() ? "unknown" : words;
        };
        found.push_back(fmt::format("{} {}, not {}", name, text(value), text(other)));
    }
    return found;
}

}  // namespace ringpost::apps
