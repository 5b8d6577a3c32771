// asking     a request each 100, 200, 400, 800 ms; an answer with a token is followed by requests with it, as often
// receiving  renews the request each 250 ms, until the duration is over or nothing has come for 2 s
// stopping   asks for the end and for what was sent, as often as in `asking`
// settling   waits for frames on the way: until all have come, or none has for 100 ms
// over       see End

#include "codec/traffic/reverse_receiver.hpp"

#include <array>

#include "codec/base/bytes.hpp"

namespace ringpost::traffic {
namespace {

constexpr Duration reverse_answer_within = 100 * millisecond;
constexpr std::uint8_t reverse_asks_max = 4;
constexpr std::uint8_t reverse_proofs_max = 4;
constexpr Duration renew_every = 250 * millisecond;
constexpr Duration silence_max = 2 * second;
constexpr Duration settle_quiet = 100 * millisecond;

}  // namespace

ReverseReceiver::ReverseReceiver(const ReverseReceiverOptions& options)
    : options_(options), sink_({.key = options.key}), expires_at_(options.start) {
    turn_to(options.start, State::asking);
}

void ReverseReceiver::turn_to(Instant now, State state) {
    std::array<std::byte, sizeof(std::uint64_t)> number;
    store_le<std::uint64_t>(number.data(), cookies_++);
    cookie_ = siphash(options_.key, number);
    state_ = state;
    sends_ = 0;
    due_ = state == State::asking || state == State::stopping;
    expires_at_ = now + (state == State::settling ? settle_quiet : renew_every);
}

void ReverseReceiver::finish(End end) {
    state_ = State::over;
    end_ = end;
    due_ = false;
}

std::uint64_t ReverseReceiver::distinct() const {
    const SinkCounters counts = sink_.counters();
    return counts.received - counts.duplicate - counts.corrupt;
}

void ReverseReceiver::handle(Instant now, const Datagram& in) {
    came_at_ = now;
    const auto control = decode_control(in.bytes);
    if (!control) {
        sink_.handle(now, in);
        if (state_ == State::settling) expires_at_ = now + settle_quiet;
    } else if (control->cookie == cookie_ && control->stream == options_.stream) {
        if (const auto answer = reverse_answer_of(*control)) on_answer(now, *answer);
    }
    if (state_ == State::settling && distinct() >= answer_.sent) finish(End::complete);
}

void ReverseReceiver::handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) {
    const std::size_t last = segment_bytes == 0 ? 0 : train.bytes.size() % segment_bytes;
    if (segment_bytes == control_bytes || last == control_bytes || train.bytes.size() <= segment_bytes ||
        state_ == State::settling)
        return for_each_segment(train, segment_bytes, [&](const Datagram& in) { handle(now, in); });
    came_at_ = now;
    sink_.handle_train(now, train, segment_bytes);
}

void ReverseReceiver::on_answer(Instant now, const ReverseAnswer& answer) {
    if (state_ == State::settling || state_ == State::over) return;
    const auto state = static_cast<ReverseState>(answer.state);
    options_.request.token = answer.token;
    if (state == ReverseState::off) return finish(End::off);
    if (state == ReverseState::prove) {
        if (proofs_++ >= reverse_proofs_max) return;
        sends_ = 0;  // with the token it is another request
        due_ = true;
        return;
    }
    if (state == ReverseState::busy) return finish(state_ == State::asking ? End::busy : End::unknown);
    answer_ = answer;
    if (state == ReverseState::ended) {
        turn_to(now, State::settling);
    } else if (state_ == State::asking) {
        stop_at_ = now + static_cast<Duration>(options_.request.duration_ns) + settle_quiet;
        turn_to(now, State::receiving);
    }
}

void ReverseReceiver::stop(Instant now) {
    if (state_ == State::asking || state_ == State::receiving) turn_to(now, State::stopping);
}

void ReverseReceiver::handle_timeout(Instant now) {
    if (state_ == State::receiving && came_at_ != never && now - came_at_ >= silence_max) return finish(End::unknown);
    if (state_ == State::receiving && now >= stop_at_) return turn_to(now, State::stopping);
    if (now < expires_at_ || state_ == State::over) return;
    if (state_ == State::settling) return finish(End::complete);
    if (state_ != State::receiving && sends_ >= reverse_asks_max)
        return finish(answer_.rate_per_ks > 0 ? End::unknown : End::silent);
    due_ = true;
}

std::optional<Transmit> ReverseReceiver::poll_transmit(Instant now, std::span<std::byte> out) {
    if (!due_) return std::nullopt;
    due_ = false;
    ReverseRequest request = options_.request;
    request.wanted = state_ == State::stopping ? 0 : 1;
    encode_control(to_control(options_.stream, cookie_, request), out);
    const bool renewal = state_ == State::receiving;
    expires_at_ = now + (renewal ? renew_every : reverse_answer_within << std::min<unsigned>(sends_, reverse_asks_max));
    if (!renewal) ++sends_;
    return Transmit{.destination = {}, .bytes = control_bytes, .segment_bytes = control_bytes};
}

std::optional<Instant> ReverseReceiver::poll_timeout() const {
    if (state_ == State::over) return std::nullopt;
    if (state_ != State::receiving) return expires_at_;
    return std::min({expires_at_, stop_at_, came_at_ == never ? never : came_at_ + silence_max});
}

}  // namespace ringpost::traffic
