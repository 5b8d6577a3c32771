// A peer is known from its first queued message until nothing is queued and no answer can arrive, so unknown senders
// cannot fill the table. Each peer has a queue of sends and one state, named after what it waits for:
//
//     ready --first is sent--> answer --answer arrives--> copies --copies_within--> ready
//                                |                        ^
//                                +--deadline--> late_answer --late answer arrives--> copies
//                                                    +--answers_within after sending--> ready
//
// copies_within may be 0, and a deadline may be later than answers_within; the state is then skipped. A report is sent
// in its turn and waits for nothing. Only in the state `answer` is a message in flight, so an answer in another state
// ends no send.
//
// A send has a timer for its deadline, from send() to its outcome. A peer has one for the states late_answer and
// copies, which end by time.

#include "codec/confirmed/sender.hpp"

#include <cstring>
#include <utility>

#include "codec/base/check.hpp"

namespace ringpost::confirmed {
namespace {

/// Ordered so that the lowest index is taken first.
std::vector<std::uint32_t> all_below(std::uint32_t count) {
    std::vector<std::uint32_t> out(count);
    for (std::uint32_t i = 0; i < count; ++i) out[i] = count - 1 - i;
    return out;
}

std::uint32_t take(std::vector<std::uint32_t>& free) {
    const std::uint32_t index = free.back();
    free.pop_back();
    return index;
}

Instant after(Instant now, Duration duration) { return duration < never - now ? now + duration : never; }

}  // namespace

Sender::Sender(const Options& options, Events& events, Counters& counts)
    : options_(options),
      events_(events),
      counts_(counts),
      sends_(options.sends_max),
      peers_(options.peers_max),
      free_sends_(all_below(options.sends_max)),
      free_peers_(all_below(options.peers_max)),
      table_(options.peers_max, options.key),
      ready_(options.peers_max),
      timers_(options.sends_max + options.peers_max, options.start) {}

std::unexpected<Refused> Sender::refuse(Refusal reason, std::size_t bytes) {
    switch (reason) {
        case Refusal::no_target: ++counts_.refused_no_target; break;
        case Refusal::too_large: ++counts_.refused_too_large; break;
        case Refusal::queue_full: ++counts_.refused_queue_full; break;
        case Refusal::peers_full: ++counts_.refused_peers_full; break;
        case Refusal::bad_peer:         // counted by the driver, which knows the sockets
        case Refusal::not_utf8: break;  // counted by the endpoint
    }
    return std::unexpected(Refused{reason, bytes});
}

std::expected<SendNumber, Refused> Sender::send(Instant now, const Address& peer, const Address& to,
                                                std::string datagram, bool neutral, Duration timeout) {
    const std::size_t bytes = datagram.size();
    if (to.family == Family::none) return refuse(Refusal::no_target, bytes);
    if (bytes > options_.bytes_max) return refuse(Refusal::too_large, bytes);
    if (waiting() + events_.outcomes() >= options_.sends_max) return refuse(Refusal::queue_full, bytes);
    const PeerIndex* known = table_.find(peer);
    if (known == nullptr && free_peers_.empty()) return refuse(Refusal::peers_full, bytes);
    if (known != nullptr && peers_[*known].sends >= options_.sends_per_peer_max)
        return refuse(Refusal::queue_full, bytes);
    const PeerIndex whose = known != nullptr ? *known : add_peer(peer);
    const SendIndex index = take(free_sends_);
    Send& send = sends_[index];
    send.number = ++counts_.taken;
    send.to = to;
    send.datagram = std::move(datagram);
    send.neutral = neutral;
    append(whose, index);
    timers_.schedule(index, after(now, timeout));
    return send.number;
}

Sender::PeerIndex Sender::add_peer(const Address& address) {
    const PeerIndex index = take(free_peers_);
    table_.touch(address) = index;
    peers_[index] = {.address = address};
    ready_.push(index);
    return index;
}

void Sender::append(PeerIndex peer, SendIndex send) {
    Peer& whose = peers_[peer];
    sends_[send].peer = peer;
    sends_[send].earlier = whose.last;
    sends_[send].later = none;
    (whose.last == none ? whose.first : sends_[whose.last].later) = send;
    whose.last = send;
    ++whose.sends;
}

void Sender::end(SendIndex send, Outcome outcome, Value answer, bool was_sent) {
    Send& ended = sends_[send];
    Peer& peer = peers_[ended.peer];
    (ended.earlier == none ? peer.first : sends_[ended.earlier].later) = ended.later;
    (ended.later == none ? peer.last : sends_[ended.later].earlier) = ended.earlier;
    --peer.sends;
    switch (outcome) {
        case Outcome::confirmed: ++counts_.confirmed; break;
        case Outcome::failed: ++counts_.failed; break;
        case Outcome::reported: ++counts_.reported; break;
        case Outcome::timed_out:
            ++counts_.timed_out;
            counts_.timed_out_waiting += !was_sent;
            break;
    }
    Event event{.kind = Event::Kind::outcome, .peer = ended.to, .message = std::move(answer)};
    event.number = ended.number;
    event.outcome = outcome;
    event.was_sent = was_sent;
    events_.push_outcome(std::move(event));
    ended.datagram = {};
    timers_.cancel(send);
    free_sends_.push_back(send);
}

Sender::Answered Sender::on_answer(Instant now, const Address& peer, Frame& answer) {
    const PeerIndex* known = table_.find(peer);
    if (known == nullptr) return Answered::unexpected;
    const PeerIndex index = *known;
    const auto settle = [&] { hold_until(now, index, Wait::copies, after(now, options_.copies_within)); };
    switch (peers_[index].wait) {
        case Wait::ready: return Answered::unexpected;
        case Wait::copies: return Answered::repeated;
        case Wait::late_answer: settle(); return Answered::late;
        case Wait::answer: break;
    }
    end(peers_[index].first, answer.status == Status::ok ? Outcome::confirmed : Outcome::failed,
        std::move(answer.message), true);
    settle();
    return Answered::ended;
}

void Sender::handle_timeout(Instant now) {
    timers_.expire(now, [&](TimerIndex timer, Instant) {
        if (timer < options_.sends_max)
            on_deadline(now, timer);
        else
            resume(timer - options_.sends_max);
    });
}

void Sender::on_deadline(Instant now, SendIndex send) {
    const PeerIndex index = sends_[send].peer;
    const Peer& peer = peers_[index];
    const bool was_sent = peer.wait == Wait::answer && peer.first == send;
    end(send, Outcome::timed_out, {}, was_sent);
    if (was_sent) hold_until(now, index, Wait::late_answer, after(peer.sent_at, options_.answers_within));
}

/// Sends nothing to the peer before `until`.
void Sender::hold_until(Instant now, PeerIndex peer, Wait wait, Instant until) {
    timers_.cancel(timer_of(peer));
    if (until <= now) {
        resume(peer);
        return;
    }
    peers_[peer].wait = wait;
    timers_.schedule(timer_of(peer), until);
}

/// Nothing is in flight to the peer, and no answer can arrive.
void Sender::resume(PeerIndex peer) {
    Peer& known = peers_[peer];
    if (known.first == none) {
        table_.erase(known.address);
        free_peers_.push_back(peer);
        return;
    }
    known.wait = Wait::ready;
    ready_.push(peer);
}

std::optional<Transmit> Sender::poll_transmit(Instant now, std::span<std::byte> out) {
    while (!ready_.empty()) {
        const PeerIndex index = ready_.front();
        ready_.pop();
        Peer& peer = peers_[index];
        if (peer.first == none) {  // all queued sends have timed out
            resume(index);
            continue;
        }
        const Send& send = sends_[peer.first];
        const std::size_t bytes = send.datagram.size();
        RINGPOST_CHECK(bytes <= out.size());
        std::memcpy(out.data(), send.datagram.data(), bytes);
        const Transmit transmit{
            .destination = send.to, .socket = options_.socket, .bytes = bytes, .segment_bytes = bytes};
        if (send.neutral) {
            peer.wait = Wait::answer;
            peer.sent_at = now;
        } else {
            end(peer.first, Outcome::reported, {}, true);
            resume(index);
        }
        return transmit;
    }
    return std::nullopt;
}

}  // namespace ringpost::confirmed
