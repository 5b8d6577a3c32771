#include "apps/run_series.hpp"

#include <fmt/core.h>

#include <utility>

#include "codec/base/histogram_log.hpp"
#include "codec/base/percentile_spectrum.hpp"

namespace ringpost::apps {
namespace {

/// At its end, a run that goes on for less than this has no interval of its own for it.
constexpr double interval_s_min = 0.5;

/// What `after` has counted more than `before`.
Histogram difference(const Histogram& after, const Histogram& before) {
    Histogram between;
    for (std::size_t index = 0; index < after.counts().size(); ++index)
        between.record_bucket(index, after.counts()[index] - before.counts()[index]);
    return between;
}

}  // namespace

RunSeries::RunSeries(const std::string& directory, std::vector<std::string> names, double start_s,
                     const std::string& start_text)
    : directory_(directory), names_(std::move(names)), csv_(directory + "/series.csv") {
    csv_ << series_head << '\n';
    for (const std::string& name : names_) {
        logs_.emplace_back(fmt::format("{}/{}.hlog", directory, name));
        logs_.back() << histogram_log_head(start_s, start_text);
    }
    written_.histograms.resize(names_.size());
}

void RunSeries::take(RunSnapshot& snapshot) {
    if (holds_) write_interval(held_);
    std::swap(held_, snapshot);
    holds_ = true;
}

std::string RunSeries::finish(RunSnapshot& snapshot) {
    if (holds_ && snapshot.elapsed_s - held_.elapsed_s >= interval_s_min) write_interval(held_);
    write_interval(snapshot);
    if (!csv_.flush()) return "series.csv";
    for (std::size_t i = 0; i < names_.size(); ++i) {
        if (!logs_[i].flush()) return names_[i] + ".hlog";
        std::ofstream spectrum(fmt::format("{}/{}.hgrm", directory_, names_[i]));
        spectrum << percentile_spectrum_text(snapshot.histograms[i], 1e3);
        if (!spectrum.flush()) return names_[i] + ".hgrm";
    }
    return "";
}

void RunSeries::write_interval(const RunSnapshot& until) {
    const double length_s = until.elapsed_s - written_.elapsed_s;
    const auto percentile_us = [](const Histogram& histogram, double percent) {
        // Nothing measured is no zero.
        return histogram.count() == 0 ? std::string()
                                      : fmt::format("{:.3f}", static_cast<double>(histogram.percentile(percent)) / 1e3);
    };
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const Histogram between = difference(until.histograms[i], written_.histograms[i]);
        logs_[i] << histogram_log_line(
                        {.tag = "", .start_s = written_.elapsed_s, .length_s = length_s, .histogram = between})
                 << std::flush;
        if (i > 0) continue;
        const std::uint64_t sent = until.sent - written_.sent;
        csv_ << fmt::format("{:.6f},{},{},{},{:.3f},{},{},{},{:.2f},{}\n", until.elapsed_s, sent,
                            until.received - written_.received, until.lost - written_.lost,
                            length_s > 0 ? static_cast<double>(sent) / length_s : 0, percentile_us(between, 50),
                            percentile_us(between, 99), percentile_us(between, 100),
                            length_s > 0 ? 100 * (until.cpu_s - written_.cpu_s) / length_s : 0,
                            until.socket_dropped - written_.socket_dropped)
             << std::flush;
    }
    written_ = until;
}

}  // namespace ringpost::apps
