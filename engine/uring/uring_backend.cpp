// One io_uring, entered once per turn.
//
// Receiving while sleeping: every socket has a multishot receive armed (ReceiveState::multishot), which delivers into
// provided buffers until it ends: out of buffers, an empty datagram, a queued ICMP error, a cancel. The next sleeping
// enter() arms it again.
//
// Receiving while polling: a multishot receive would route every datagram through the kernel's poll queue. Therefore it
// is cancelled (ReceiveState::cancelling, then idle), and each turn receives from the sockets directly, which is the
// cheapest way to find nothing. The ring is entered only when it is not idle. With more than polled_sockets_max
// sockets, where polling each would cost more than it saves, the multishot receives stay armed. Only the socket that
// sent last, where a reply is due, is then tried directly, while the ring has no completion that could hold earlier
// datagrams; its multishot receive finds nothing afterwards, and goes on.
//
// Sending: one request per message with MSG_DONTWAIT, which completes before enter() returns. A single message of a
// polling turn is sent by a direct call. If a socket buffer is full (EAGAIN), the message is queued again and sending
// is blocked: one request without MSG_DONTWAIT waits in the kernel for space, and the rest follow it in order. Only
// messages submitted in the same turn can overtake it.
//
// user_data is a packed Tag. The slot of a removed socket is reused only after its last request has completed, so a
// late completion finds no socket and is dropped.

#include "engine/uring/uring_backend.hpp"

#include <poll.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "codec/base/check.hpp"
#include "engine/udp/socket_errors.hpp"
#include "engine/udp/system_calls.hpp"

namespace ringpost {
namespace {

constexpr unsigned submissions = 256;
constexpr unsigned provided_buffers = 64;
// A multishot receive writes a header, the source address, the control messages and the payload.
constexpr std::size_t provided_buffer_bytes =
    sizeof(io_uring_recvmsg_out) + sizeof(SocketAddress) + receive_control_bytes_max + receive_buffer_bytes;
static_assert(sizeof(SocketAddress) % alignof(cmsghdr) == 0 && provided_buffer_bytes % alignof(cmsghdr) == 0);
static_assert(receive_control_bytes_max % alignof(cmsghdr) == 0);
// Enough for all possible completions: sends, provided buffers, cancels, the waker.
constexpr unsigned completions =
    unsigned{limits::transmit_buffers_max * limits::train_segments_max} + 2 * provided_buffers + submissions;
constexpr std::size_t completions_per_batch = 512;
constexpr int shut_down_turns_max = 64;

}  // namespace

Result<std::unique_ptr<UringBackend>> UringBackend::open(const EngineOptions& options) {
    auto ring = Ring::open(submissions, completions);
    if (!ring) return std::unexpected(ring.error());
    auto waker = Waker::open();
    if (!waker) return std::unexpected(waker.error());
    std::unique_ptr<UringBackend> backend(new UringBackend(std::move(*ring), std::move(*waker), options));
    if (auto done = backend->buffers_.register_with(backend->ring_); !done) return std::unexpected(done.error());
    return backend;
}

UringBackend::UringBackend(Ring ring, Waker waker, const EngineOptions& options)
    : waker_(std::move(waker)),
      buffers_(provided_buffers, provided_buffer_bytes, 0),
      outbox_(options.gso ? kernel_train_segments() : 1),
      ring_(std::move(ring)) {
    received_.reserve(2 * received_max);  // received directly, and through the ring
    buffers_lent_.reserve(received_max);
}

UringBackend::~UringBackend() {
    for (SocketIndex i = 0; i < sockets_.size(); ++i)
        if (sockets_[i].socket) remove(i);
    if (streams_ == nullptr) return;
    streams_->shut_down();
    // A connection accepted in the meantime has no owner: only its completion holds the descriptor.
    io_uring_cqe* ready[completions_per_batch];
    for (int turns = 0; turns < shut_down_turns_max && streams_->accepting(); ++turns) {
        ring_.submit_and_poll();
        const std::size_t count = ring_.completions(ready);
        for (std::size_t i = 0; i < count; ++i)
            if (const Tag tag = Tag::unpack(ready[i]->user_data); tag.kind == Tag::Kind::accept)
                streams_->refuse(tag, *ready[i]);
        ring_.advance(count);
    }
}

// ---- sockets --------------------------------------------------------------------------------------

SocketIndex UringBackend::add(UdpSocket socket) {
    auto index = static_cast<SocketIndex>(sockets_open_ == sockets_.size() ? sockets_.size() : 0);
    while (index < sockets_.size() && (sockets_[index].socket || sockets_[index].requests > 0 || outbox_.uses(index)))
        ++index;
    if (index == sockets_.size()) {
        sockets_.emplace_back();
        if (idle_.capacity() < sockets_.size()) idle_.reserve(2 * sockets_.size());
    }
    SocketSlot& slot = sockets_[index];
    slot.shape.msg_namelen = socket.peer().family == Family::none ? sizeof(SocketAddress) : 0;
    slot.shape.msg_controllen = socket.control_bytes();
    outbox_.unlatch(index);
    slot.socket.emplace(std::move(socket));
    ++sockets_open_;
    note_idle(index);
    return index;
}

void UringBackend::note_idle(SocketIndex index) {
    if (!std::exchange(sockets_[index].listed_idle, true)) idle_.push_back(index);
}

void UringBackend::remove(SocketIndex index) {
    SocketSlot& slot = sockets_[index];
    RINGPOST_CHECK(slot.socket.has_value());
    counters_.socket_dropped += slot.socket->new_drops();
    if (slot.receiving == ReceiveState::multishot) cancel_multishot(index);
    // Requests contain the descriptor number. Submit them all before it is closed and the number can be reused.
    queue_sends();
    ring_.submit_and_poll();
    slot.socket.reset();
    --sockets_open_;
}

// ---- receiving ------------------------------------------------------------------------------------

std::span<const Received> UringBackend::reap() {
    if (polls_sockets_) poll_sockets();
    // Reads all send completions: a refused train must be known before more is posted.
    io_uring_cqe* ready[completions_per_batch];
    for (std::size_t used = completions_per_batch; used == completions_per_batch;) {
        const std::size_t count = ring_.completions(ready);
        for (used = 0; used < count && buffers_lent_.size() < received_max;) complete(*ready[used++]);
        ring_.advance(used);
    }
    settle_stamps(received_);
    count_received(counters_, received_);
    return received_;
}

void UringBackend::poll_sockets() {
    const auto count = static_cast<SocketIndex>(sockets_.size());
    for (SocketIndex i = 0; i < count && !inbox_.full(); ++i) {
        const SocketIndex index = (next_socket_ + i) % count;
        SocketSlot& slot = sockets_[index];
        if (slot.socket && slot.receiving == ReceiveState::idle)
            inbox_.receive(*slot.socket, index, slot.burst, received_, counters_);
    }
    if (count > 0) next_socket_ = (next_socket_ + 1) % count;
}

void UringBackend::complete(const io_uring_cqe& cqe) {
    const Tag tag = Tag::unpack(cqe.user_data);
    switch (tag.kind) {
        case Tag::Kind::send: complete_send(tag, cqe.res); break;
        case Tag::Kind::multishot: complete_multishot(tag, cqe); break;
        case Tag::Kind::cancel: --sockets_[tag.index].requests; break;
        case Tag::Kind::wake:
            waker_.clear();
            waker_armed_ = false;
            break;
        case Tag::Kind::watch: watches_armed_ = false; break;
        default: streams_->complete(tag, cqe); break;
    }
}

void UringBackend::complete_multishot(const Tag& tag, const io_uring_cqe& cqe) {
    SocketSlot& slot = sockets_[tag.index];
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) {
        slot.receiving = ReceiveState::idle;
        --slot.requests;
        --multishots_;
        note_idle(tag.index);
    }
    if (cqe.res < 0) count_receive_error(counters_, -cqe.res);
    if (cqe.res < 0) discard_errors(slot, -cqe.res);
    if ((cqe.flags & IORING_CQE_F_BUFFER) == 0) return;
    const auto id = static_cast<std::uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    buffers_.on_consumed();
    buffers_lent_.push_back(id);
    if (cqe.res < 0 || !slot.socket) return;
    auto* out = io_uring_recvmsg_validate(buffers_.buffer(id).data(), cqe.res, &slot.shape);
    if (out == nullptr || (out->flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        ++counters_.truncated;
        return;
    }
    const bool connected = slot.shape.msg_namelen == 0;
    const Received train =
        make_received(*slot.socket, tag.index,
                      {.bytes = {static_cast<std::byte*>(io_uring_recvmsg_payload(out, &slot.shape)),
                                 io_uring_recvmsg_payload_length(out, cqe.res, &slot.shape)},
                       .source = connected ? nullptr : static_cast<const sockaddr*>(io_uring_recvmsg_name(out)),
                       .control = io_uring_recvmsg_cmsg_firsthdr(out, &slot.shape),
                       .control_bytes = out->controllen});
    take_received(*slot.socket, train, received_, counters_);
}

// ---- sending --------------------------------------------------------------------------------------

std::span<std::byte> UringBackend::transmit_buffer() { return blocked_ ? std::span<std::byte>{} : outbox_.buffer(); }

void UringBackend::post(const Transmit& transmit) {
    outbox_.post(transmit, *sockets_[transmit.socket].socket);
    sent_last_ = transmit.socket;
}

void UringBackend::queue_sends() {
    // If the socket of the message to retry was removed, retry the next message instead.
    for (; blocked_ && !retrying_ && !outbox_.empty(); outbox_.pop())
        retrying_ = queue_send(outbox_.front(), SendMode::wait);
    blocked_ = blocked_ && retrying_;
    if (blocked_) return;
    for (; !outbox_.empty(); outbox_.pop()) queue_send(outbox_.front(), SendMode::dont_wait);
}

/// False, and the message is dropped, if its socket was removed.
bool UringBackend::queue_send(MessageId id, SendMode mode) {
    SocketSlot& slot = sockets_[outbox_.socket(id)];
    if (!slot.socket) {
        counters_.send_failed += outbox_.segments(id);
        outbox_.done(id);
        return false;
    }
    const int flags = mode == SendMode::wait ? 0 : MSG_DONTWAIT;
    const int fd = slot.socket->fd();
    io_uring_sqe* sqe = ring_.submission();
    if (const auto bytes = outbox_.bytes(id); outbox_.is_plain(id))
        io_uring_prep_send(sqe, fd, bytes.data(), bytes.size(), flags);
    else
        io_uring_prep_sendmsg(sqe, fd, &outbox_.header(id), static_cast<unsigned>(flags));
    sqe->user_data = Tag{.kind = Tag::Kind::send,
                         .retry = mode == SendMode::wait,
                         .buffer = static_cast<std::uint8_t>(id.buffer),
                         .index = id.segment}
                         .pack();
    ++slot.requests;
    ++sends_in_flight_;
    return true;
}

void UringBackend::send_directly() {
    const MessageId id = outbox_.front();
    const SocketSlot& slot = sockets_[outbox_.socket(id)];
    if (!slot.socket) {
        queue_sends();
        return;
    }
    outbox_.pop();
    mmsghdr message{outbox_.header(id), 0};
    finish_send(id, send_now(slot.socket->fd(), &message, 1), SendMode::dont_wait);
}

void UringBackend::complete_send(const Tag& tag, int result) {
    const MessageId id{tag.buffer, static_cast<std::uint16_t>(tag.index)};
    --sockets_[outbox_.socket(id)].requests;
    --sends_in_flight_;
    if (tag.retry) retrying_ = false;
    finish_send(id, result, tag.retry ? SendMode::wait : SendMode::dont_wait);
}

void UringBackend::discard_errors(const SocketSlot& slot, int error) {
    if (slot.socket && slot.socket->reports_errors() && may_be_queued(error)) slot.socket->discard_errors();
}

/// Completes a message with a byte count or a negative errno.
void UringBackend::finish_send(MessageId id, int result, SendMode mode) {
    const bool was_retry = mode == SendMode::wait;
    if (result < 0) discard_errors(sockets_[outbox_.socket(id)], -result);
    const std::size_t segments = outbox_.segments(id);
    if (is_full(-result)) {
        ++counters_.send_retried;
        blocked_ = true;
        // Others that failed in the same enter() are already queued; a retry goes before them.
        if (was_retry)
            outbox_.push_front(id);
        else
            outbox_.push_back(id);
        return;
    }
    if (was_retry) blocked_ = false;
    if (refuses_trains(-result) && segments > 1) {
        counters_.trains_refused += outbox_.latch_singles(id, Outbox::refused_by(-result)) ? 1 : 0;
        outbox_.split(id, was_retry ? Outbox::Place::first : Outbox::Place::last);
        return;
    }
    if (result >= 0)
        count_sent(counters_, segments);
    else
        fail_send(id, -result, segments);
    outbox_.done(id);
}

void UringBackend::fail_send(MessageId id, int error, std::size_t segments) {
    count_send_error(counters_, error, segments);
    const auto& socket = sockets_[outbox_.socket(id)].socket;
    failures_.add(outbox_.destination(id).value_or(socket ? socket->peer() : Address{}), error);
}

EngineCounters UringBackend::counters() {
    for (SocketSlot& slot : sockets_)
        if (slot.socket) counters_.socket_dropped += slot.socket->new_drops();
    return counters_;
}

// ---- enter ----------------------------------------------------------------------------------------

void UringBackend::enter(Duration sleep) {
    received_.clear();
    inbox_.clear();
    recycle_buffers();
    if (!waker_armed_) arm_waker();
    if (streams_ != nullptr) sleep = streams_->prepare(sleep);
    const bool polls = sleep <= 0;
    if (polls && !stays_armed_ && outbox_.size() == 1 && !blocked_ && sends_in_flight_ == 0)
        send_directly();
    else
        queue_sends();
    polls_sockets_ = polls && !stays_armed_ && sockets_open_ <= polled_sockets_max;
    if (polls_sockets_)
        cancel_multishots();
    else
        arm_idle();
    if (polls && !polls_sockets_ && !stays_armed_ && receive_reply()) return;
    if ((!polls || stays_armed_) && watches_ && !watches_armed_) arm_watches();
    if (ready_) ready_->clear();  // before what may signal it
    if (!polls && !ring_.completions_ready())
        ring_.submit_and_wait(sleep == never ? -1 : sleep);
    else if (!ring_.idle())
        ring_.submit_and_poll();
}

/// Tries the socket that sent last, but not in two turns in a row, so that others get their turn.
bool UringBackend::receive_reply() {
    if (std::exchange(received_reply_, false) || sent_last_ >= sockets_.size() || !ring_.nothing_queued()) return false;
    SocketSlot& slot = sockets_[sent_last_];
    if (!slot.socket) return false;
    inbox_.receive(*slot.socket, sent_last_, slot.burst, received_, counters_);
    received_reply_ = !received_.empty();
    return received_reply_;
}

void UringBackend::recycle_buffers() {
    for (const std::uint16_t id : buffers_lent_) buffers_.recycle(id);
    buffers_lent_.clear();
}

void UringBackend::arm_waker() {
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_poll_add(sqe, waker_.fd(), POLLIN);
    sqe->user_data = Tag{.kind = Tag::Kind::wake}.pack();
    waker_armed_ = true;
}

void UringBackend::arm_watches() {
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_poll_add(sqe, watches_->fd(), POLLIN);
    sqe->user_data = Tag{.kind = Tag::Kind::watch}.pack();
    watches_armed_ = true;
}

/// With many sockets, most of which have a multishot receive, a turn must not look at each.
void UringBackend::arm_idle() {
    for (const SocketIndex index : idle_) {
        SocketSlot& slot = sockets_[index];
        slot.listed_idle = false;
        if (slot.socket && slot.receiving == ReceiveState::idle) arm_multishot(index);
    }
    idle_.clear();
}

void UringBackend::cancel_multishots() {
    for (SocketIndex i = 0; multishots_ > 0 && i < sockets_.size(); ++i)
        if (sockets_[i].socket && sockets_[i].receiving == ReceiveState::multishot) cancel_multishot(i);
}

void UringBackend::arm_multishot(SocketIndex index) {
    SocketSlot& slot = sockets_[index];
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_recvmsg_multishot(sqe, slot.socket->fd(), &slot.shape, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = buffers_.group();
    sqe->user_data = Tag{.kind = Tag::Kind::multishot, .index = index}.pack();
    slot.receiving = ReceiveState::multishot;
    ++slot.requests;
    ++multishots_;
}

void UringBackend::cancel_multishot(SocketIndex index) {
    SocketSlot& slot = sockets_[index];
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_cancel64(sqe, Tag{.kind = Tag::Kind::multishot, .index = index}.pack(), 0);
    sqe->user_data = Tag{.kind = Tag::Kind::cancel, .index = index}.pack();
    slot.receiving = ReceiveState::cancelling;
    ++slot.requests;
}

}  // namespace ringpost
