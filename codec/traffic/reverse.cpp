// A token is a hash of the source and of the current period with a secret key, so the sink keeps nothing of a stranger.
// It is valid in its period and in the next one. A sending (State::sending) ends at its time, when it is asked to, or
// renewal_within after its last renewal; its count can be asked for until its place is needed (State::ended).

#include "codec/traffic/reverse.hpp"

#include <algorithm>
#include <cstring>

#include "codec/base/bytes.hpp"
#include "codec/traffic/frame.hpp"

namespace ringpost::traffic {
namespace {

constexpr Duration token_period = 10 * second;
constexpr Duration renewal_within = second;
constexpr std::uint64_t header_bits_v4 = 8ull * (20 + 8), header_bits_v6 = 8ull * (40 + 8);
constexpr std::uint64_t per_ks = 1'000;
constexpr std::uint64_t reverse_rate_per_ks_max = 1'000'000'000ull * per_ks;

std::uint64_t bits_of(const Address& to, std::uint64_t frame_bytes) {
    return (to.family == Family::v6 ? header_bits_v6 : header_bits_v4) + 8 * frame_bytes;
}

}  // namespace

Control to_control(std::uint32_t stream, std::uint64_t cookie, const ReverseRequest& request) {
    return {.kind = ControlKind::ask_reverse,
            .stream = stream,
            .cookie = cookie,
            .numbers = {request.token, request.rate_per_ks, request.frame_bytes, request.duration_ns, request.wanted}};
}

Control to_control(const Control& request, const ReverseAnswer& answer) {
    return {.kind = ControlKind::reverse,
            .stream = request.stream,
            .cookie = request.cookie,
            .numbers = {answer.token, answer.state, answer.rate_per_ks, answer.sent}};
}

std::optional<ReverseRequest> reverse_request_of(const Control& control) {
    if (control.kind != ControlKind::ask_reverse) return std::nullopt;
    const ReverseRequest out{.token = control.numbers[0],
                             .rate_per_ks = control.numbers[1],
                             .frame_bytes = control.numbers[2],
                             .duration_ns = control.numbers[3],
                             .wanted = control.numbers[4]};
    const bool valid = out.rate_per_ks <= reverse_rate_per_ks_max && out.frame_bytes >= frame_bytes_min &&
                       out.frame_bytes <= limits::datagram_bytes_max && out.duration_ns <= limits::reverse_ns_max &&
                       out.wanted <= 1 && control.stream < answer_stream_bit;
    return valid ? std::optional(out) : std::nullopt;
}

std::optional<ReverseAnswer> reverse_answer_of(const Control& control) {
    if (control.kind != ControlKind::reverse) return std::nullopt;
    const ReverseAnswer out{.token = control.numbers[0],
                            .state = control.numbers[1],
                            .rate_per_ks = control.numbers[2],
                            .sent = control.numbers[3]};
    const bool valid = out.state <= static_cast<std::uint64_t>(ReverseState::busy) &&
                       out.rate_per_ks <= reverse_rate_per_ks_max && out.sent < sequence_end;
    return valid ? std::optional(out) : std::nullopt;
}

Instant ReverseSender::Sending::due(std::uint64_t frame) const {
    constexpr double ns_per_ks = 1e12;
    return start + static_cast<Duration>(static_cast<double>(frame) * ns_per_ks / static_cast<double>(rate_per_ks));
}

ReverseSender::ReverseSender(const ReverseSenderOptions& options) : options_(options) {}

std::uint64_t ReverseSender::token_of(const Address& source, std::uint64_t period) const {
    std::array<std::byte, sizeof(Address) + sizeof period> bytes;
    std::memcpy(bytes.data(), &source, sizeof source);
    store_le<std::uint64_t>(&bytes[sizeof source], period);
    return std::max<std::uint64_t>(siphash(options_.key, bytes), 1);  // 0 is no token
}

bool ReverseSender::proves(Instant now, const Address& source, std::uint64_t token) const {
    const auto period = static_cast<std::uint64_t>(now / token_period);
    return token == token_of(source, period) || (period > 0 && token == token_of(source, period - 1));
}

ReverseSender::Sending* ReverseSender::find(const Address& source, std::uint32_t stream) {
    for (Sending& each : sendings_)
        if (each.state != State::free && each.to == source && each.stream == stream) return &each;
    return nullptr;
}

Control ReverseSender::on_request(Instant now, const Datagram& in, const Control& control,
                                  const ReverseRequest& request) {
    ReverseAnswer answer;
    const auto with = [&](ReverseState state) {
        answer.state = static_cast<std::uint64_t>(state);
        return to_control(control, answer);
    };
    if (options_.bits_per_s_max == 0) return with(ReverseState::off);
    answer.token = token_of(in.source, static_cast<std::uint64_t>(now / token_period));
    if (!proves(now, in.source, request.token)) {
        ++counts_.unproven;
        return with(ReverseState::prove);
    }
    Sending* sending = find(in.source, control.stream);
    if (sending == nullptr) {
        if (request.wanted == 0) return with(ReverseState::ended);
        sending = begin(now, in, control.stream, request);
        if (sending == nullptr) {
            ++counts_.refused;
            return with(ReverseState::busy);
        }
    }
    sending->renewed_at = now;
    if (sending->state == State::sending && (request.wanted == 0 || expire(now, *sending))) end(*sending);
    answer.rate_per_ks = sending->rate_per_ks;
    answer.sent = sending->sent;
    return with(sending->state == State::sending ? ReverseState::sending : ReverseState::ended);
}

/// Takes what is left of the limit, up to what is asked. Null if there is nothing left, or no place.
ReverseSender::Sending* ReverseSender::begin(Instant now, const Datagram& in, std::uint32_t stream,
                                             const ReverseRequest& request) {
    for (Sending& each : sendings_)
        if (each.state == State::sending && expire(now, each)) end(each);
    auto place = std::ranges::find(sendings_, State::free, &Sending::state);
    if (place == sendings_.end()) place = std::ranges::find(sendings_, State::ended, &Sending::state);
    if (place == sendings_.end()) return nullptr;
    const std::uint64_t frame_bits = bits_of(in.source, request.frame_bytes);
    const std::uint64_t left = std::min(options_.bits_per_s_max - bits_per_s_, UINT64_MAX / per_ks);
    const std::uint64_t most = std::min(left * per_ks / frame_bits, reverse_rate_per_ks_max);
    const std::uint64_t rate = request.rate_per_ks == 0 ? most : std::min(request.rate_per_ks, most);
    if (rate == 0 || request.duration_ns == 0) return nullptr;
    Sending sending{.state = State::sending,
                    .to = in.source,
                    .path = in.path(),
                    .stream = stream,
                    .frame_bytes = static_cast<std::size_t>(request.frame_bytes),
                    .rate_per_ks = rate,
                    .start = now,
                    .stop = now + static_cast<Duration>(request.duration_ns),
                    .renewed_at = now};
    sending.bits_per_s = std::min(left, (rate * frame_bits + per_ks - 1) / per_ks);
    constexpr double ns_per_ks = 1e12;
    sending.count =
        static_cast<std::uint64_t>(static_cast<double>(request.duration_ns) * static_cast<double>(rate) / ns_per_ks);
    bits_per_s_ += sending.bits_per_s;
    ++counts_.started;
    *place = sending;
    return &*place;
}

bool ReverseSender::expire(Instant now, Sending& sending) {
    if (now - sending.renewed_at >= renewal_within) {
        ++counts_.expired;
        return true;
    }
    return now >= sending.stop || sending.sent >= sending.count;
}

void ReverseSender::end(Sending& sending) {
    sending.state = State::ended;
    bits_per_s_ -= sending.bits_per_s;
}

std::optional<Transmit> ReverseSender::poll_transmit(Instant now, std::span<std::byte> out) {
    for (std::size_t i = 0; i < sendings_.size(); ++i) {
        Sending& sending = sendings_[next_];
        next_ = (next_ + 1) % sendings_.size();
        if (sending.state != State::sending) continue;
        if (expire(now, sending)) {
            end(sending);
            continue;
        }
        const std::size_t most = std::min<std::size_t>(
            std::clamp<std::size_t>(limits::datagram_bytes_max / sending.frame_bytes, 1, options_.train_segments),
            sending.count - sending.sent);
        std::size_t count = 0;
        for (; count < most && sending.due(sending.sent) <= now; ++count, ++sending.sent) {
            const auto frame = out.subspan(count * sending.frame_bytes, sending.frame_bytes);
            std::ranges::copy(fill_of(sending.frame_bytes - frame_bytes_min), frame.begin() + frame_bytes_min);
            encode({sending.stream | answer_stream_bit, sending.sent, sending.due(sending.sent)}, frame);
        }
        if (count == 0) continue;
        counts_.frames += count;
        return Transmit{sending.to, sending.path.socket, count * sending.frame_bytes, sending.frame_bytes,
                        sending.path.local};
    }
    return std::nullopt;
}

std::optional<Instant> ReverseSender::poll_timeout() const {
    std::optional<Instant> next;
    for (const Sending& each : sendings_) {
        if (each.state != State::sending) continue;
        const Instant at = std::min({each.due(each.sent), each.stop, each.renewed_at + renewal_within});
        next = std::min(next.value_or(never), at);
    }
    return next;
}

}  // namespace ringpost::traffic
