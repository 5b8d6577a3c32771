#include "apps/measuring/monitor.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

#include "apps/runs/environment.hpp"
#include "apps/runs/figures.hpp"
#include "apps/runs/series.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {
namespace {

/// Engines hand over at about the same time. One that is later than this becomes part of the next interval.
constexpr auto patience = std::chrono::milliseconds(300);

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
    active_ = view_ || metrics_ || run_ != nullptr || report.form() == Report::Form::json;
    if (!active_) return;
    thread_ = std::jthread([this] {
        try {
            watch();
        } catch (...) {  // the results have no reader or no space: end the run, as a signal does
            failure_ = std::current_exception();
            record_signal(SIGPIPE);
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
    if (sum.elapsed_s == 0) {  // the end of a warm-up
        if (run_ != nullptr) run_->skip(sum);
        return skip(sum);
    }
    if (sum.elapsed_s - reported_.elapsed_s < interval_s_min) return;
    // An idle sink: the next interval starts with its first datagram, or its rate would be too low.
    if (!options_.shape.sends && sum.received == reported_.received) {
        if (run_ != nullptr && sum.received == 0) run_->skip(sum);
        return skip(sum);
    }
    if (run_ != nullptr) run_->take(sum);
    sum.lost -= std::exchange(sum.waiting, 0);
    publish(sum);
}

void Monitor::skip(const Snapshot& now) {
    if (view_) view_->skip(now);
    reported_ = now;
}

void Monitor::publish(const Snapshot& now) {
    if (metrics_) metrics_->update(now);
    if (view_) view_->show(now);
    report_.event("progress", progress_json(options_.shape, Interval(reported_, now)));
    reported_ = now;
}

void fill_connection(Snapshot& now, const native::Path& path, const native::Statistics& counts) {
    now.rtt_smoothed_us = static_cast<double>(path.rtt_smoothed) / 1e3;
    now.window_bytes = path.window_bytes;
    now.in_flight_bytes = path.in_flight_bytes;
    now.packets_lost = counts.packets_lost;
    now.bytes_resent = counts.bytes_resent;
}

void add_prometheus(CLI::App& command, std::string& address) {
    command.add_option("--prometheus", address, "local address that serves metrics during the run (default none)")
        ->type_name("ADDRESS:PORT");
}

}  // namespace ringpost::apps
