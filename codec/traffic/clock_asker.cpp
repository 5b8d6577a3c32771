#include "codec/traffic/clock_asker.hpp"

#include <algorithm>
#include <array>

#include "codec/base/bytes.hpp"

namespace ringpost::traffic {
namespace {

constexpr std::uint32_t clock_requests = 32;
constexpr std::uint32_t clock_silent_max = 3;
constexpr Duration clock_answer_within = 200 * millisecond;
/// Clocks farther apart are not compared; the times come from the network.
constexpr Duration clock_apart_max = Duration{1} << 61;

}  // namespace

ClockAsker::ClockAsker(const ClockAskerOptions& options)
    : options_(options), left_(clock_requests), expires_at_(options.start + clock_answer_within) {}

void ClockAsker::next() { due_ = --left_ > 0; }

std::optional<Transmit> ClockAsker::poll_transmit(Instant now, std::span<std::byte> out) {
    if (!due_) return std::nullopt;
    due_ = false;
    std::array<std::byte, sizeof(std::uint64_t)> number;
    store_le<std::uint64_t>(number.data(), cookies_++);
    cookie_ = siphash(options_.key, number);
    sent_at_ = now;
    expires_at_ = now + clock_answer_within;
    encode_control({.kind = ControlKind::ask_clock, .stream = options_.stream, .cookie = cookie_}, out);
    return Transmit{
        .destination = {}, .socket = options_.socket, .bytes = control_bytes, .segment_bytes = control_bytes};
}

void ClockAsker::handle(Instant now, const Datagram& in) {
    const auto answer = decode_control(in.bytes);
    if (!answer || answer->kind != ControlKind::clock || answer->cookie != cookie_ || due_ || left_ == 0 ||
        answer->stream != options_.stream)
        return;
    const auto there = static_cast<Instant>(answer->numbers[0]);
    if (there < 0 || there > clock_apart_max) return;
    silent_ = 0;
    const ClockOffset found{there - (now + options_.wall_offset), there - (sent_at_ + options_.wall_offset)};
    if (!bounds_)
        bounds_ = found;
    else
        bounds_ = ClockOffset{std::max(bounds_->low, found.low), std::min(bounds_->high, found.high)};
    next();
}

void ClockAsker::handle_timeout(Instant now) {
    if (left_ == 0 || due_ || now < expires_at_) return;
    if (++silent_ == clock_silent_max)
        left_ = 0;
    else
        next();
}

std::optional<Instant> ClockAsker::poll_timeout() const {
    return left_ == 0 ? std::nullopt : std::optional(expires_at_);
}

std::optional<ClockOffset> ClockAsker::offset() const {
    return bounds_ && bounds_->low <= bounds_->high ? bounds_ : std::nullopt;
}

}  // namespace ringpost::traffic
