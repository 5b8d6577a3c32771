// Below the threshold the window grows by what is acknowledged (slow start, watched by HyStart++). Above it, it follows
// the cubic function of the time since the epoch began, or Reno's estimate where that is larger.
//
// An epoch begins with the first acknowledgement after a reduction of a packet that was sent after it. The time in
// which the application, not the window, limits what is sent does not count: the epoch is shifted by it, and the window
// stays (RFC 9438, 5.8).
//
// A reduction happens at most once per round trip: not for packets that were sent before the last one. What it changed
// is kept, until the next reduction or until all its losses have proven to be late packets.

#include "codec/recovery/cubic.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "codec/recovery/limits.hpp"

namespace ringpost::recovery {
namespace {

constexpr double reno_growth = 3 * (1 - limits::cubic_decrease) / (1 + limits::cubic_decrease);
constexpr double window_min = limits::window_packets_min;

double seconds(Duration ns) { return static_cast<double>(ns) / static_cast<double>(second); }

}  // namespace

Cubic::Cubic(std::uint32_t packet_bytes)
    : packet_bytes_(packet_bytes),
      window_(limits::window_packets_initial),
      threshold_(std::numeric_limits<double>::infinity()) {}

std::uint64_t Cubic::window() const { return static_cast<std::uint64_t>(window_ * packet_bytes_); }

double Cubic::pacing_rate(const Rtt& rtt) const {
    const double factor = in_slow_start() ? 2.5 : 1.25;
    return factor * window_ * packet_bytes_ / seconds(rtt.smoothed());
}

void Cubic::set_packet_bytes(std::uint32_t bytes) {
    const double factor = packet_bytes_ / bytes;
    packet_bytes_ = bytes;
    for (double* window : {&window_, &threshold_, &window_max_, &window_prior_, &epoch_window_, &reno_window_})
        *window *= factor;
    window_ = std::max(window_, window_min);
    undoable_ = false;
}

void Cubic::on_ack(Instant now, const AckSample& sample, const Rtt& rtt) {
    const Duration since = now - acked_at_;
    acked_at_ = now;
    if (sample.sent_at <= reduced_at_) return;  // in recovery
    if (sample.app_limited) {
        if (epoch_ != never) epoch_ += since;
        return;
    }
    if (in_slow_start())
        grow_slowly(sample, rtt);
    else
        avoid(now, static_cast<double>(sample.bytes) / packet_bytes_, rtt);
}

void Cubic::grow_slowly(const AckSample& sample, const Rtt& rtt) {
    hystart_.on_ack(sample.number, newest_ + 1, sample.rtt_sampled ? rtt.latest() : 0);
    if (hystart_.phase() == HyStart::Phase::done) {
        leave_slow_start();
        return;
    }
    window_ = std::min(window_ + static_cast<double>(hystart_.growth(sample.bytes)) / packet_bytes_,
                       std::max(window_, threshold_));
    if (window_ >= threshold_) leave_slow_start();
}

/// Without a loss to begin from, the plateau is here (RFC 9438, 4.10).
void Cubic::leave_slow_start() {
    threshold_ = window_;
    window_prior_ = window_max_ = window_;
    epoch_ = never;
}

void Cubic::begin_epoch(Instant now) {
    epoch_ = now;
    epoch_window_ = reno_window_ = window_;
    if (window_ >= window_max_) {
        window_max_ = window_;
        inflection_ = 0;
    } else {
        inflection_ = std::cbrt((window_max_ - window_) / limits::cubic_scale);
    }
}

void Cubic::avoid(Instant now, double packets, const Rtt& rtt) {
    if (epoch_ == never) begin_epoch(now);
    const auto cubic = [&](double t) {
        const double x = t - inflection_;
        return limits::cubic_scale * x * x * x + window_max_;
    };
    reno_window_ += (reno_window_ < window_prior_ ? reno_growth : 1.0) * packets / window_;
    const double t = seconds(now - epoch_);
    if (cubic(t) < reno_window_) {
        window_ = std::max(window_, reno_window_);
        return;
    }
    const double target = std::clamp(cubic(t + seconds(rtt.smoothed())), window_, 1.5 * window_);
    window_ += (target - window_) / window_ * packets;
}

void Cubic::on_lost(Instant now, const LossSample& sample) {
    if (sample.persistent) {
        // RFC 9002, 7.6.2, and RFC 9438, 4.8: slow start from the smallest window.
        threshold_ = std::max(window_ * limits::cubic_decrease, window_min);
        window_ = window_min;
        reduced_at_ = now;
        hystart_.restart();
        undoable_ = false;
        return;
    }
    if (sample.sent_at <= reduced_at_) {
        lost_since_ += sample.packets;
        return;
    }
    before_ = {window_max_, window_prior_, threshold_, window_, epoch_window_, reno_window_, inflection_, epoch_};
    undoable_ = sample.packets > 0;
    lost_since_ = sample.packets;
    reduced_at_ = now;
    // Fast convergence (RFC 9438, 4.7).
    window_max_ = window_ < window_max_ ? window_ * (1 + limits::cubic_decrease) / 2 : window_;
    window_prior_ = window_;
    window_ = threshold_ = std::max(window_ * limits::cubic_decrease, window_min);
    epoch_ = never;
}

void Cubic::on_late(Instant now, std::uint64_t packets) {
    lost_since_ -= std::min(lost_since_, packets);
    if (!undoable_ || lost_since_ > 0) return;
    undoable_ = false;
    // The time in between does not count.
    const Duration passed = now - reduced_at_;
    reduced_at_ = -1;
    if (before_.window <= window_) return;
    window_max_ = before_.window_max;
    window_prior_ = before_.window_prior;
    threshold_ = before_.threshold;
    window_ = before_.window;
    epoch_window_ = before_.epoch_window;
    reno_window_ = before_.reno_window;
    inflection_ = before_.inflection;
    epoch_ = before_.epoch == never ? never : before_.epoch + passed;
}

}  // namespace ringpost::recovery
