#include "apps/runs/report_page.hpp"

#include <algorithm>
#include <fstream>
#include <variant>
#include <vector>

#include "apps/runs/figures.hpp"
#include "apps/runs/reader.hpp"
#include "codec/measure/percentile_spectrum.hpp"

namespace ringpost::apps {
namespace {

/// The shares refer to the recorded durations and the lost ones, which are longer.
Json spectrum_of(const Histogram& histogram, std::uint64_t lost) {
    const auto recorded = static_cast<double>(histogram.count());
    const double known = lost == 0 ? 1 : recorded / (recorded + static_cast<double>(lost));
    Json points = Json::array();
    for (const SpectrumPoint& point : percentile_spectrum(histogram))
        points.push_back({known * point.level / 100, static_cast<double>(point.value_ns) / 1e3, point.count});
    return points;
}

Json line_of(const Figure& figure) {
    return {{"name", figure.name}, {"label", figure.label}, {"values", Json::array()}};
}

constexpr struct {
    Chart chart;
    const char* title;
    Unit unit;
    double y_max_least;  ///< the y axis reaches at least this far
} charts[] = {{Chart::rates, "Datagrams per second", Unit::per_second, 1},
              {Chart::losses, "Lost datagrams by place", Unit::percent, 0.1},
              {Chart::processor, "Processor time", Unit::percent, 10}};

/// A count of an interval, as its chart shows it.
Json charted(const Figure& figure, const RunShape& shape, const SeriesRow& row) {
    Json value = total_of(figure, shape, row.counted);
    switch (figure.chart) {
        case Chart::rates: return ratio(value.get<double>(), row.length_s());
        case Chart::losses: return 100 * ratio(value.get<double>(), static_cast<double>(row.counted.sent));
        default: return value;
    }
}

Json charts_of(const KeptRun& run) {
    const RunShape shape = run.shape();
    Json out = Json::array();
    for (const auto& each : charts) {
        Json lines = Json::array();
        for (const Figure& figure : figures) {
            if (figure.chart != each.chart || !is_known(figure, shape, When::ended)) continue;
            Json line = line_of(figure);
            for (const SeriesRow& row : run.series) line["values"].push_back(charted(figure, shape, row));
            lines.push_back(line);
        }
        out.push_back({{"title", each.title},
                       {"unit", each.unit == Unit::percent ? "percent" : "per_second"},
                       {"y_max_least", each.y_max_least},
                       {"lines", lines}});
    }
    return out;
}

/// A percentile of an interval; one that falls among the lost durations is drawn at the timeout.
Json percentile_json(const Figure& figure, const Histogram& histogram, std::uint64_t lost, double timeout_us) {
    const auto value = percentile_with_lost(histogram, std::get<double>(figure.source), lost);
    if (value) return static_cast<double>(*value) / 1e3;
    return lost > 0 ? Json(timeout_us) : Json();
}

/// The percentiles of each interval, and the spectrum of the whole run.
Json recording_of(const KeptRun& run, const std::string& name) {
    Json lines = Json::array();
    std::vector<const Figure*> shown;
    for (const Figure& figure : figures) {
        if (figure.chart != Chart::times) continue;
        shown.push_back(&figure);
        lines.push_back(line_of(figure));
    }
    Histogram all;
    IntervalReader reader(run, name);
    for (std::size_t row = 0; const auto interval = reader.next(); ++row) {
        all.merge(interval->histogram);
        const std::int64_t lost = name == "response" && row < run.series.size() ? run.series[row].counted.lost : 0;
        for (std::size_t i = 0; i < shown.size(); ++i)
            lines[i]["values"].push_back(percentile_json(*shown[i], interval->histogram,
                                                         static_cast<std::uint64_t>(std::max<std::int64_t>(lost, 0)),
                                                         run.timeout_us()));
    }
    return {{"lines", lines}, {"spectrum", spectrum_of(all, name == "response" ? run.unanswered() : 0)}};
}

/// What the script of the page draws.
Json page_data(const KeptRun& run) {
    Json data = {{"command", run.command},       {"configuration", run.configuration}, {"environment", run.environment},
                 {"results", run.results},       {"elapsed_s", Json::array()},         {"charts", charts_of(run)},
                 {"recordings", Json::object()}, {"timeout_us", run.timeout_us()}};
    if (!run.recordings.empty()) data["first"] = run.recordings[0];
    for (const SeriesRow& row : run.series) data["elapsed_s"].push_back(row.end_s);
    for (const std::string& name : run.recordings) data["recordings"][name] = recording_of(run, name);
    return data;
}

void put_in(std::string& page, std::string_view mark, std::string_view text) {
    const std::size_t at = page.find(mark);
    if (at != std::string::npos) page.replace(at, mark.size(), text);
}

}  // namespace

bool write_report_page(const std::string& path) {
    std::string data = page_data(read_run(path)).dump(-1, ' ', false, Json::error_handler_t::replace);
    // A `<` could begin the end tag of the script element. In JSON it occurs only within strings.
    for (std::size_t at = data.find('<'); at != std::string::npos; at = data.find('<', at))
        data.replace(at, 1, "\\u003c");
    std::string page(page_html);
    put_in(page, "/* uplot.css */", uplot_css);
    put_in(page, "/* uplot.js */", uplot_js);
    put_in(page, "/* page.js */", page_js);
    put_in(page, "/* data */", data);
    std::ofstream file(path + "/report.html");
    file << page;
    return static_cast<bool>(file.flush());
}

}  // namespace ringpost::apps
