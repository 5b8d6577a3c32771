#include "apps/measuring/monitor.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "apps/runs/environment.hpp"

namespace ringpost::apps {
namespace {

/// Engines hand over at about the same time. One that is so much later is part of the next interval.
constexpr auto patience = std::chrono::milliseconds(300);
/// Less is no interval of its own.
constexpr double interval_s_min = 0.5;

Json percentiles_of(const Histogram& histogram) {
    const auto shown = [&](double percent) {
        if (histogram.count() == 0) return Json();
        return Json(static_cast<double>(histogram.percentile(percent)) / 1e3);
    };
    return {{"p50", shown(50)}, {"p99", shown(99)}, {"max", shown(100)}};
}

}  // namespace

Monitor::Monitor(Options options, Report& report, RunDirectory* run)
    : options_(std::move(options)),
      report_(report),
      run_(run),
      slots_(std::make_unique<Slot[]>(options_.engines)),
      latest_(options_.engines) {
    if (report.form() == Report::Form::text) view_.emplace(options_.shape, LiveView::style_of_stderr(), stderr);
    if (!options_.prometheus.empty()) {
        metrics_.emplace(options_.prometheus, options_.shape);
        report.event("metrics", {{"port", metrics_->port()}});
        if (options_.prometheus.ends_with(":0")) report.note(fmt::format("metrics on port {}", metrics_->port()));
    }
    listens_ = view_ || metrics_ || run_ != nullptr || report.form() == Report::Form::json;
    if (!listens_) return;
    thread_ = std::jthread([this] {
        try {
            watch();
        } catch (...) {  // nobody listens any more: a closed pipe, a full disk
            failure_ = std::current_exception();
        }
    });
}

Monitor::~Monitor() {
    stopping_ = true;
    handed_over_.release();
}

void Monitor::finish(const Snapshot& end) {
    stopping_ = true;
    handed_over_.release();
    if (thread_.joinable()) thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    if (view_) view_->end();
    if (metrics_) metrics_->update(end);
}

void Monitor::watch() {
    while (true) {
        handed_over_.acquire();
        const auto until = std::chrono::steady_clock::now() + patience;
        while (!stopping_ && !all_fresh() && handed_over_.try_acquire_until(until)) continue;
        if (stopping_) return;
        collect();
    }
}

bool Monitor::all_fresh() const {
    return std::all_of(&slots_[0], &slots_[options_.engines],
                       [](const Slot& slot) { return slot.fresh.load(std::memory_order_acquire); });
}

void Monitor::collect() {
    for (std::size_t i = 0; i < options_.engines; ++i) {
        if (!slots_[i].fresh.load(std::memory_order_acquire)) continue;
        std::swap(latest_[i], slots_[i].snapshot);
        slots_[i].fresh.store(false, std::memory_order_release);
    }
    Snapshot sum;
    for (const Snapshot& each : latest_) sum.add(each);
    if (options_.complete) options_.complete(sum);
    sum.cpu_s = cpu_seconds();
    if (sum.elapsed_s == 0) {  // a warm-up is over
        if (run_ != nullptr) run_->skip(sum);
        return skip(sum);
    }
    if (sum.elapsed_s - told_.elapsed_s < interval_s_min) return;
    // An idle sink: what comes next is not spread over the time in which nothing did.
    if (!options_.shape.sends && sum.received == told_.received) return skip(sum);
    if (run_ != nullptr) run_->take(sum);
    sum.lost -= std::exchange(sum.waiting, 0);
    tell(sum);
}

void Monitor::skip(const Snapshot& now) {
    if (view_) view_->skip(now);
    told_ = now;
}

void Monitor::tell(const Snapshot& now) {
    if (metrics_) metrics_->update(now);
    if (view_) view_->show(now);
    const RunShape& shape = options_.shape;
    const double length_s = now.elapsed_s - told_.elapsed_s;
    Json event = {{"elapsed_s", now.elapsed_s}};
    if (shape.sends) event["sent"] = now.sent;
    if (shape.hears) {
        event["received"] = now.received;
        if (shape.verifies) {
            event["lost"] = std::max<std::int64_t>(now.lost, 0);
            event["lost_in"] = loss_json(shape, now);
        }
        event["socket_dropped"] = now.socket_dropped;
    }
    const std::uint64_t moved = shape.sends ? now.sent - told_.sent : now.received - told_.received;
    event["rate_per_s"] = ratio(static_cast<double>(moved), length_s);
    event["cpu_percent"] = 100 * ratio(now.cpu_s - told_.cpu_s, length_s);
    if (!now.histograms.empty()) {
        const bool first = told_.histograms.empty();
        event[shape.histograms[0] + "_us"] =
            percentiles_of(first ? now.histograms[0] : difference(now.histograms[0], told_.histograms[0]));
    }
    report_.event("progress", event);
    told_ = now;
}

void add_prometheus(CLI::App& command, std::string& address) {
    command.add_option("--prometheus", address, "ADDRESS:PORT on which metrics can be fetched while it runs");
}

Json loss_json(const RunShape& shape, const Snapshot& snapshot) {
    const LossPlaces places = loss_places(shape, snapshot);
    return {{"send_queue", places.send_queue}, {"receive_buffer", places.receive_buffer}, {"path", places.path}};
}

}  // namespace ringpost::apps
