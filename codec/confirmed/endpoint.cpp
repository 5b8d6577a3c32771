// A neutral message becomes an event and a reply at once. If there is no space for the event, the reply is a failure
// report; if there is none for the reply, the message is dropped. So the peer never takes a lost message for delivered.
// Answers are dispatched to the Sender (sender.cpp) by the peer they come from.

#include "codec/confirmed/endpoint.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "codec/base/check.hpp"

namespace ringpost::confirmed {
namespace {

/// Reply datagrams, indexed by Endpoint::Answer.
constexpr std::array<std::string_view, 3> replies = {
    R"({"message":"confirmed","status":true})",
    R"({"message":"initialization complete","status":true})",
    R"({"message":"too many messages wait here","status":false})",
};

}  // namespace

Endpoint::Endpoint(const Options& options)
    : options_(options),
      events_(options.event_bytes),
      sender_(options_, events_, counts_),
      replies_(options.replies_max) {
    RINGPOST_CHECK(options.bytes_max <= limits::datagram_bytes_max);
}

std::expected<SendNumber, Refused> Endpoint::send(Instant now, const Value& message, const SendOptions& options) {
    const Address& to = options.to.family == Family::none ? options_.target : options.to;
    return sender_.send(now, peer_of(to), to, encode({message, options.status}), options.status == Status::none,
                        options.timeout);
}

std::expected<SendNumber, Refused> Endpoint::send(Instant now, std::string_view text, const SendOptions& options) {
    const auto message = Value::of_text(text);
    if (message) return send(now, *message, options);
    ++counts_.refused_not_utf8;
    return std::unexpected(Refused{Refusal::not_utf8, text.size()});
}

/// The address to which the peer behind `source` expects replies.
Address Endpoint::reply_address(const Address& source) const {
    if (options_.reply == Reply::to_source) return source;
    Address out = source;
    out.port = options_.peer_port;
    return peer_of(out) == peer_of(options_.target) ? options_.target : out;
}

/// The identity of a peer, given its own address or the source of a datagram.
Address Endpoint::peer_of(const Address& address) const {
    Address out = address;
    if (options_.reply == Reply::to_port) out.port = 0;
    return out;
}

void Endpoint::handle(Instant now, const Datagram& in) {
    ++counts_.received;
    auto frame = decode(in.bytes);
    if (!frame)
        ++counts_.malformed[static_cast<std::size_t>(frame.error())];
    else if (frame->status == Status::none)
        on_message(in, std::move(*frame));
    else
        on_answer(now, in.source, std::move(*frame));
}

void Endpoint::on_message(const Datagram& in, Frame frame) {
    const Address from = reply_address(in.source);
    if (replies_.full()) {
        ++counts_.replies_full;
        return;
    }
    if (frame.message.is_text() && frame.message.text() == initialize_text && on_initialize(from, in.path())) return;
    const bool queued =
        events_.push({.kind = Event::Kind::message, .peer = in.source, .message = std::move(frame.message)});
    ++(queued ? counts_.delivered : counts_.app_behind);
    replies_.push({from, in.path(), queued ? Answer::confirmed : Answer::behind});
}

/// Returns false if the endpoint keeps another target; the message is then delivered like any other.
bool Endpoint::on_initialize(const Address& from, const LocalPath& path) {
    if (from != options_.target) {
        if (options_.target.family != Family::none && !options_.retarget) return false;
        options_.target = from;
        // If the event queue is full, the new target is still available from target().
        events_.push({.kind = Event::Kind::target, .peer = from});
    }
    ++counts_.initialized;
    replies_.push({from, path, Answer::initialized});
    return true;
}

void Endpoint::on_answer(Instant now, const Address& source, Frame frame) {
    auto answered = sender_.on_answer(now, peer_of(source), frame);
    if (answered == Sender::Answered::unexpected && options_.confirm_from_any)
        answered = sender_.on_answer(now, peer_of(options_.target), frame);
    switch (answered) {
        case Sender::Answered::ended: return;
        case Sender::Answered::repeated: ++counts_.answers_again; return;
        case Sender::Answered::late: ++counts_.answers_late; break;
        case Sender::Answered::unexpected: ++counts_.answers_stray; break;
    }
    // A failure report matters even if no send is waiting for it.
    if (frame.status != Status::failed) return;
    Event event{.kind = Event::Kind::message, .peer = source, .message = std::move(frame.message)};
    event.status = Status::failed;
    counts_.failures_lost += !events_.push(std::move(event));
}

std::optional<Transmit> Endpoint::poll_transmit(Instant now, std::span<std::byte> out) {
    if (replies_.empty()) return sender_.poll_transmit(now, out);
    const Outgoing reply = replies_.front();
    replies_.pop();
    const std::string_view text = replies[static_cast<std::size_t>(reply.answer)];
    std::memcpy(out.data(), text.data(), text.size());
    ++counts_.replies_sent;
    return Transmit{.destination = reply.to,
                    .socket = reply.path.socket,
                    .bytes = text.size(),
                    .segment_bytes = text.size(),
                    .local = reply.path.local};
}

}  // namespace ringpost::confirmed
