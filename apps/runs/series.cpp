#include "apps/runs/series.hpp"

#include <fmt/core.h>

#include <utility>

#include "apps/cli/report.hpp"
#include "codec/measure/histogram_log.hpp"
#include "codec/measure/percentile_spectrum.hpp"

namespace ringpost::apps {
namespace {

/// At its end, a run that goes on for less than this has no interval of its own for it.
constexpr double interval_s_min = 0.5;

/// Nothing measured is no zero.
std::string percentile_us(const Histogram* histogram, double percent) {
    if (histogram == nullptr || histogram->count() == 0) return "";
    return fmt::format("{:.3f}", static_cast<double>(histogram->percentile(percent)) / 1e3);
}

std::int64_t difference(std::uint64_t after, std::uint64_t before) { return static_cast<std::int64_t>(after - before); }

}  // namespace

RunSeries::RunSeries(const std::string& directory, RunShape shape, double start_s, const std::string& start_text)
    : directory_(directory), shape_(std::move(shape)), csv_(directory + "/series.csv") {
    csv_ << series_head << '\n';
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
    const Snapshot between = interval_between(until, written_);
    const double length_s = between.elapsed_s;
    for (std::size_t i = 0; i < logs_.size(); ++i)
        logs_[i] << histogram_log_line({.tag = "",
                                        .start_s = written_.elapsed_s,
                                        .length_s = length_s,
                                        .histogram = between.histograms[i]})
                 << std::flush;
    const Histogram* first = between.histograms.empty() ? nullptr : between.histograms.data();
    csv_ << fmt::format("{:.6f},{},", until.elapsed_s, between.sent);
    csv_ << (shape_.hears ? fmt::format("{},{}", between.received, between.lost) : ",");
    csv_ << fmt::format(",{:.3f},{},{},{},{:.2f}", ratio(static_cast<double>(between.sent), length_s),
                        percentile_us(first, 50), percentile_us(first, 99), percentile_us(first, 100),
                        100 * ratio(between.cpu_s, length_s));
    const LossPlaces now = loss_places(shape_, until), before = loss_places(shape_, written_);
    csv_ << (shape_.hears ? fmt::format(",{}", between.socket_dropped) : ",");
    csv_ << fmt::format(",{}", between.refused);
    csv_ << (shape_.hears ? fmt::format(",{},{}", difference(now.receive_buffer, before.receive_buffer),
                                        difference(now.path, before.path))
                          : ",,");
    csv_ << '\n' << std::flush;
    written_ = until;
}

}  // namespace ringpost::apps
