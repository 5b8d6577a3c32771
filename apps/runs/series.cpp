#include "apps/runs/series.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "apps/runs/figures.hpp"
#include "codec/measure/histogram_log.hpp"
#include "codec/measure/percentile_spectrum.hpp"

namespace ringpost::apps {

RunSeries::RunSeries(const std::string& directory, RunShape shape, double start_s, const std::string& start_text)
    : directory_(directory), shape_(std::move(shape)), csv_(directory + "/series.csv") {
    csv_ << series_head() << '\n';
    for (const std::string& name : shape_.histograms) {
        logs_.emplace_back(fmt::format("{}/{}.hlog", directory, name));
        logs_.back() << histogram_log_head(start_s, start_text);
    }
}

void RunSeries::take(Snapshot snapshot) {
    if (held_) write_interval(*held_);
    held_ = std::move(snapshot);
}

std::string RunSeries::finish(Snapshot end) {
    if (held_) {
        end.elapsed_s = std::max(end.elapsed_s, held_->elapsed_s);
        if (end.elapsed_s - held_->elapsed_s >= interval_s_min) write_interval(*held_);
    }
    write_interval(end);
    if (!csv_.flush()) return "series.csv";
    for (std::size_t i = 0; i < shape_.histograms.size(); ++i) {
        const std::string& name = shape_.histograms[i];
        if (!logs_[i].flush()) return name + ".hlog";
        std::ofstream spectrum(fmt::format("{}/{}.hgrm", directory_, name));
        spectrum << percentile_spectrum_text(end.histograms[i], 1e3);
        if (!spectrum.flush()) return name + ".hgrm";
    }
    return "";
}

void RunSeries::write_interval(const Snapshot& until) {
    const Interval interval(written_, until);
    for (std::size_t i = 0; i < logs_.size(); ++i)
        logs_[i] << histogram_log_line({.tag = "",
                                        .start_s = written_.elapsed_s,
                                        .length_s = interval.between.elapsed_s,
                                        .histogram = interval.between.histograms[i]})
                 << std::flush;
    csv_ << series_line(shape_, interval) << '\n' << std::flush;
    written_ = until;
}

}  // namespace ringpost::apps
