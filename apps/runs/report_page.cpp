#include "apps/runs/report_page.hpp"

#include <fstream>

#include "apps/runs/reader.hpp"
#include "codec/measure/percentile_spectrum.hpp"

namespace ringpost::apps {
namespace {

Json microseconds(const Histogram& histogram, double percent) {
    if (histogram.count() == 0) return nullptr;  // a gap in the line
    return static_cast<double>(histogram.percentile(percent)) / 1e3;
}

Json spectrum_of(const Histogram& histogram) {
    Json points = Json::array();
    for (const SpectrumPoint& point : percentile_spectrum(histogram))
        points.push_back({point.level / 100, static_cast<double>(point.value_ns) / 1e3, point.count});
    return points;
}

/// What the script of the page draws.
Json page_data(const KeptRun& run) {
    const RunShape shape = run.shape();
    Json data = {{"command", run.command},         {"configuration", run.configuration},
                 {"environment", run.environment}, {"results", run.results},
                 {"hears", shape.hears},           {"recordings", Json::object()}};
    if (!run.recordings.empty()) data["first"] = run.recordings[0];
    for (const char* column : {"elapsed_s", "sent_per_s", "received_per_s", "lost_send_queue_percent",
                               "lost_receive_buffer_percent", "lost_path_percent", "cpu_percent"})
        data[column] = Json::array();
    for (const SeriesRow& row : run.series) {
        const Snapshot interval{.sent = row.sent,
                                .received = row.received,
                                .lost = row.lost,
                                .refused = row.refused,
                                .socket_dropped = row.socket_dropped,
                                .histograms = {}};
        const LossPlaces lost = loss_places(shape, interval);
        const auto per_cent = [&](std::uint64_t count) {
            return 100 * ratio(static_cast<double>(count), static_cast<double>(row.sent));
        };
        data["elapsed_s"].push_back(row.elapsed_s);
        data["sent_per_s"].push_back(ratio(static_cast<double>(row.sent), row.length_s));
        data["received_per_s"].push_back(ratio(static_cast<double>(row.received), row.length_s));
        data["lost_send_queue_percent"].push_back(per_cent(lost.send_queue));
        data["lost_receive_buffer_percent"].push_back(per_cent(lost.receive_buffer));
        data["lost_path_percent"].push_back(per_cent(lost.path));
        data["cpu_percent"].push_back(row.cpu_percent);
    }
    for (const std::string& name : run.recordings) {
        Json& recorded = data["recordings"][name];
        recorded = {{"p50_us", Json::array()},
                    {"p99_us", Json::array()},
                    {"p999_us", Json::array()},
                    {"max_us", Json::array()}};
        IntervalReader reader(run, name);
        Histogram all;
        while (const auto interval = reader.next()) {
            all.merge(interval->histogram);
            recorded["p50_us"].push_back(microseconds(interval->histogram, 50));
            recorded["p99_us"].push_back(microseconds(interval->histogram, 99));
            recorded["p999_us"].push_back(microseconds(interval->histogram, 99.9));
            recorded["max_us"].push_back(microseconds(interval->histogram, 100));
        }
        recorded["spectrum"] = spectrum_of(all);
    }
    return data;
}

void put_in(std::string& page, std::string_view mark, std::string_view text) {
    const std::size_t at = page.find(mark);
    if (at != std::string::npos) page.replace(at, mark.size(), text);
}

}  // namespace

bool write_report_page(const std::string& path) {
    std::string data = page_data(read_run(path)).dump(-1, ' ', false, Json::error_handler_t::replace);
    // Within a script element, `<` must not begin what ends it. In JSON it can only stand in a string.
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
