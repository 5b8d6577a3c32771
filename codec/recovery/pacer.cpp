// A bucket of bytes that fills at the rate. Sending takes from it until it is empty; then nothing leaves until it holds
// a quantum. It fills up to 1 ms at the rate, so that a loop that wakes up late loses nothing, and up to a quarter of
// the window.

#include "codec/recovery/pacer.hpp"

#include <algorithm>
#include <cmath>

namespace ringpost::recovery {

void Pacer::set_rate(double rate, std::uint64_t window) {
    const bool first = rate_ == 0;
    rate_ = rate / static_cast<double>(second);
    window_ = window;
    const std::uint64_t least = std::uint64_t{limits::burst_packets_min} * packet_bytes_;
    const auto in_quantum_time =
        static_cast<std::uint64_t>(std::min(rate_ * static_cast<double>(limits::quantum), 1e15));
    credit_max_ = std::max(std::min(in_quantum_time, window / 4), least);
    quantum_ = std::max(std::min(std::uint64_t{burst_packets_} * packet_bytes_, credit_max_), least);
    if (first) credit_ = static_cast<double>(credit_max_);
}

std::uint64_t Pacer::allowance(Instant now) {
    if (!paced()) return UINT64_MAX;
    if (refilled_at_ >= 0 && now > refilled_at_)
        credit_ = std::min(credit_ + static_cast<double>(now - refilled_at_) * rate_, static_cast<double>(credit_max_));
    refilled_at_ = std::max(now, refilled_at_);
    if (waiting_ && credit_ < static_cast<double>(quantum_)) return 0;
    waiting_ = credit_ < 1;
    return waiting_ ? 0 : static_cast<std::uint64_t>(credit_);
}

void Pacer::on_sent(std::uint64_t bytes) {
    if (paced()) credit_ -= static_cast<double>(bytes);
}

Instant Pacer::next(Instant now) const {
    const double missing = static_cast<double>(quantum_) - credit_;
    if (missing <= 0) return now;
    return std::max(refilled_at_, Instant{0}) + static_cast<Duration>(std::ceil(missing / rate_)) + 1;
}

void Pacer::on_round_without_loss() {
    burst_packets_ = std::min(burst_packets_ + burst_packets_ / 8 + 1, limits::burst_packets_max);
}

void Pacer::on_trains_cut(std::uint32_t packets) {
    burst_packets_ = std::clamp(packets, limits::burst_packets_min, burst_packets_);
}

}  // namespace ringpost::recovery
