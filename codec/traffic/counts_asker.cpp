// A request is repeated with the same cookie after 100, 200 and 400 ms (Wait::answer). An answer that lacks frames may
// have overtaken them, so the flow is asked about again after a pause (Wait::pause), until two answers agree or
// rounds_max were given. The first flow that gets no answer while no other had one ends it all: the other end is no
// sink, or an old one, or does not answer.

#include "codec/traffic/counts_asker.hpp"

#include <algorithm>

#include "codec/base/bytes.hpp"

namespace ringpost::traffic {
namespace {

constexpr Duration first_answer_within = 100 * millisecond;
constexpr std::uint8_t asks_max = 3;
constexpr Duration ask_again_after = 50 * millisecond;
constexpr std::uint8_t ask_rounds_max = 8;
/// For all flows together: a fixed time, and a share of a second for each.
constexpr Duration asking_within = 3 * second;
constexpr Duration asking_within_per_flow = 2 * second / limits::control_answers_per_s;

}  // namespace

CountsAsker::CountsAsker(const CountsAskerOptions& options)
    : options_(options),
      give_up_at_(options.start + asking_within + static_cast<Duration>(options.sent.size()) * asking_within_per_flow) {
    counts_.flows = options.sent.size();
    begin_flows();
}

void CountsAsker::begin_flows() {
    for (Asked& asked : asked_) {
        if (next_flow_ == options_.sent.size()) return;
        if (asked.wait != Wait::idle) continue;
        asked = {.wait = Wait::sending, .flow = next_flow_++, .cookie = next_cookie(), .last = {}};
        ++asking_;
    }
}

std::uint64_t CountsAsker::next_cookie() {
    std::array<std::byte, sizeof(std::uint64_t)> number;
    store_le<std::uint64_t>(number.data(), cookies_++);
    return siphash(options_.key, number);
}

void CountsAsker::handle(Instant now, const Datagram& in) {
    const std::optional<Control> answer = decode_control(in.bytes);
    if (!answer || answer->kind != ControlKind::counts || gave_up_) return;
    const auto flow = static_cast<std::size_t>(in.socket - options_.first_socket);
    const auto asked = std::ranges::find_if(asked_, [&](const Asked& each) {
        return each.wait == Wait::answer && each.flow == flow && each.cookie == answer->cookie;
    });
    if (asked == asked_.end() || answer->stream != options_.stream + flow) return;
    on_answer(now, *asked, *answer);
    begin_flows();
}

void CountsAsker::on_answer(Instant now, Asked& asked, const Control& answer) {
    const CountsAnswer found = counts_of(answer, options_.sent[asked.flow]);
    if (!found.credible) {
        ++counts_.rejected;
        return;
    }
    answered_ = true;
    if (!found.counts) {
        ++counts_.forgotten;
        return close(asked);
    }
    const bool complete = found.counts->received == options_.sent[asked.flow];
    if (complete || found.counts == asked.last || ++asked.rounds == ask_rounds_max) return settle(asked, *found.counts);
    asked.last = found.counts;
    asked.wait = Wait::pause;
    asked.expires_at = now + ask_again_after;
}

void CountsAsker::settle(Asked& asked, const StreamCounts& counts) {
    ++counts_.known;
    counts_.received += counts.received;
    counts_.duplicate += counts.duplicate;
    counts_.reordered += counts.reordered;
    counts_.corrupt += counts.corrupt;
    close(asked);
}

void CountsAsker::close(Asked& asked) {
    asked.wait = Wait::idle;
    --asking_;
}

void CountsAsker::handle_timeout(Instant now) {
    if (now >= give_up_at_) gave_up_ = true;
    for (Asked& asked : asked_)
        if ((asked.wait == Wait::answer || asked.wait == Wait::pause) && asked.expires_at <= now) expire(asked);
    begin_flows();
}

void CountsAsker::expire(Asked& asked) {
    if (asked.wait == Wait::pause) {
        asked.sends = 0;
        asked.cookie = next_cookie();
    } else if (asked.sends == asks_max) {
        // Better an answer that lacks the last frames than none.
        if (asked.last) return settle(asked, *asked.last);
        gave_up_ |= !answered_;
        return close(asked);
    }
    asked.wait = Wait::sending;
}

std::optional<Transmit> CountsAsker::poll_transmit(Instant now, std::span<std::byte> out) {
    if (gave_up_) return std::nullopt;
    const auto asked = std::ranges::find(asked_, Wait::sending, &Asked::wait);
    if (asked == asked_.end()) return std::nullopt;
    encode_control({.kind = ControlKind::ask_counts,
                    .stream = options_.stream + static_cast<std::uint32_t>(asked->flow),
                    .cookie = asked->cookie},
                   out);
    asked->wait = Wait::answer;
    asked->expires_at = now + (first_answer_within << asked->sends++);
    return Transmit{.destination = {},
                    .socket = options_.first_socket + static_cast<SocketIndex>(asked->flow),
                    .bytes = control_bytes,
                    .segment_bytes = control_bytes};
}

std::optional<Instant> CountsAsker::poll_timeout() const {
    if (finished()) return std::nullopt;
    Instant next = give_up_at_;
    for (const Asked& asked : asked_)
        if (asked.wait == Wait::answer || asked.wait == Wait::pause) next = std::min(next, asked.expires_at);
    return next;
}

}  // namespace ringpost::traffic
