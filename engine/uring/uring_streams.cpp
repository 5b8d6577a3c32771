// Every listener has a multishot accept armed, and every stream that is not paused has a multishot receive, which
// delivers into provided buffers until it ends: out of buffers, a cancel, the end of the stream. The next enter() arms
// ended ones again, in the order in which they ended, so that no stream monopolizes the buffers. If the kernel does not
// support multishot (EINVAL), each request completes once and is submitted again.
//
// The rest of a partial write is one request, which waits in the kernel for space (MSG_WAITALL). If it nevertheless
// completes with a part, the next request sends the remainder.
//
// Requests that contain a descriptor are queued only by prepare() and submitted by the same enter(), so that none is
// still unsubmitted when its descriptor is closed. Closing a connection cancels its requests in flight; the slot is
// free after the last of them has completed.

#include "engine/uring/uring_streams.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace ringpost {
namespace {

constexpr std::uint16_t stream_group = 1;

}  // namespace

using Kind = UringTag::Kind;

Result<std::unique_ptr<UringStreams>> UringStreams::open(Ring& ring, EngineCounters& counters, WriteBuffers& writes) {
    std::unique_ptr<UringStreams> streams(new UringStreams(ring, counters, writes));
    if (auto done = streams->buffers_.register_with(ring); !done) return std::unexpected(done.error());
    return streams;
}

UringStreams::UringStreams(Ring& ring, EngineCounters& counters, WriteBuffers& writes)
    : Streams(counters, writes), ring_(ring), buffers_(stream_receive_buffers, stream_receive_bytes, stream_group) {}

void UringStreams::shut_down() {
    for (Slot slot = 0; slot < slots(); ++slot)
        if (connection(slot).socket.is_open()) {
            cancel_requests(slot);
            connection(slot).socket = StreamSocket{};
        }
    for (std::uint32_t i = 0; i < listeners(); ++i) {
        if (!listener(i).waiting) continue;
        io_uring_sqe* sqe = ring_.submission();
        io_uring_prep_cancel_fd(sqe, listener(i).socket.fd(), 0);
        sqe->user_data = UringTag{.kind = Kind::stream_cancel}.pack();
    }
}

bool UringStreams::accepting() const {
    for (std::uint32_t i = 0; i < listeners(); ++i)
        if (listener(i).waiting) return true;
    return false;
}

void UringStreams::refuse(const UringTag& tag, const io_uring_cqe& cqe) {
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) listener(tag.index).waiting = false;
    if (cqe.res >= 0) StreamSocket::accepted(cqe.res);
}

std::size_t UringStreams::in_flight() const {
    std::size_t count = 0;
    for (const Requests& each : requests_) count += each.in_flight;
    for (std::uint32_t i = 0; i < listeners(); ++i) count += listener(i).waiting ? 1 : 0;
    return count;
}

// ---- requests ---------------------------------------------------------------------------------------

Duration UringStreams::prepare(Duration sleep) {
    for (const std::uint16_t id : lent_) buffers_.recycle(id);
    lent_.clear();
    return Streams::prepare(sleep);
}

void UringStreams::update(Slot slot) {
    const Connection& conn = connection(slot);
    Requests& state = requests(slot);
    if (conn.connecting) {
        if (!state.connecting) connect(slot, state);
        return;
    }
    if (!conn.unsent.empty() && !state.sending) send(slot, state);
    if (conn.paused && state.receiving == ReceiveState::armed) {
        state.receiving = ReceiveState::cancelling;
        cancel(state.receive);
    }
    if (!conn.wants_bytes() || state.receiving != ReceiveState::idle) return;
    if (buffers_.available() > 0)
        receive(slot, state);
    else  // all are in completions not yet reaped: a receive armed now would end immediately
        schedule_update(slot);
}

void UringStreams::start_accepting(std::uint32_t index) {
    Listener& entry = listener(index);
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_accept(sqe, entry.socket.fd(), nullptr, nullptr, accept_flags);
    if (multishot_) sqe->ioprio |= IORING_ACCEPT_MULTISHOT;
    sqe->user_data = UringTag{.kind = Kind::accept, .multishot = multishot_, .index = index}.pack();
    entry.waiting = true;
}

bool UringStreams::cancel_requests(Slot slot) {
    const Requests& state = requests(slot);
    if (state.connecting) cancel({.kind = Kind::connect, .index = slot});
    if (state.sending) cancel({.kind = Kind::stream_send, .index = slot});
    if (state.receiving == ReceiveState::armed) cancel(state.receive);
    return state.in_flight == 0;
}

void UringStreams::connect(Slot slot, Requests& state) {
    const Connection& conn = connection(slot);
    const socklen_t length = to_socket_address(conn.peer, conn.peer.family, state.address);
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_connect(sqe, conn.socket.fd(), &state.address.any, length);
    tag_request(sqe, {.kind = Kind::connect, .index = slot});
    state.connecting = true;
}

void UringStreams::receive(Slot slot, Requests& state) {
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_recv(sqe, connection(slot).socket.fd(), nullptr, 0, 0);
    if (multishot_) sqe->ioprio |= IORING_RECV_MULTISHOT;
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = buffers_.group();
    state.receive = {.kind = Kind::stream_receive, .multishot = multishot_, .index = slot};
    tag_request(sqe, state.receive);
    state.receiving = ReceiveState::armed;
}

void UringStreams::send(Slot slot, Requests& state) {
    const Connection& conn = connection(slot);
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_send(sqe, conn.socket.fd(), conn.unsent.data(), conn.unsent.size(), MSG_WAITALL | MSG_NOSIGNAL);
    tag_request(sqe, {.kind = Kind::stream_send, .index = slot});
    state.sending = true;
}

void UringStreams::cancel(UringTag tag) {
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_cancel64(sqe, tag.pack(), 0);
    tag_request(sqe, {.kind = Kind::stream_cancel, .index = tag.index});
}

void UringStreams::tag_request(io_uring_sqe* sqe, UringTag tag) {
    sqe->user_data = tag.pack();
    ++requests(tag.index).in_flight;
}

UringStreams::Requests& UringStreams::requests(Slot slot) {
    while (slot >= requests_.size()) requests_.emplace_back();
    return requests_[slot];
}

// ---- completions ------------------------------------------------------------------------------------

void UringStreams::complete(const UringTag& tag, const io_uring_cqe& cqe) {
    if (tag.kind == Kind::accept) {
        complete_accept(tag, cqe);
        return;
    }
    const Slot slot = tag.index;
    Requests& state = requests(slot);
    const bool closed = !connection(slot).socket.is_open();
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) --state.in_flight;
    switch (tag.kind) {
        case Kind::connect:
            state.connecting = false;
            if (!closed) on_connected(slot, cqe.res);
            break;
        case Kind::stream_send:
            state.sending = false;
            if (!closed) on_sent(slot, cqe.res);
            break;
        case Kind::stream_receive: complete_receive(tag, cqe); break;
        default: break;  // stream_cancel: the outcome does not matter
    }
    if (closed && state.in_flight == 0) release(slot);
}

void UringStreams::complete_accept(const UringTag& tag, const io_uring_cqe& cqe) {
    Listener& entry = listener(tag.index);
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) entry.waiting = false;
    if (!refuses_multishot(tag, cqe.res)) on_accepted(entry, cqe.res);
}

bool UringStreams::refuses_multishot(const UringTag& tag, int result) {
    const bool refuses = result == -EINVAL && tag.multishot;
    if (refuses) multishot_ = false;
    return refuses;
}

void UringStreams::complete_receive(const UringTag& tag, const io_uring_cqe& cqe) {
    const Slot slot = tag.index;
    Requests& state = requests(slot);
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) state.receiving = ReceiveState::idle;
    std::span<const std::byte> bytes;
    if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
        const auto id = static_cast<std::uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
        buffers_.on_consumed();
        lent_.push_back(id);
        bytes = buffers_.buffer(id).first(static_cast<std::size_t>(std::max(cqe.res, 0)));
    }
    if (!connection(slot).socket.is_open()) return;
    const bool nothing = cqe.res == -ENOBUFS || cqe.res == -ECANCELED || cqe.res == -EINTR || cqe.res == -EAGAIN;
    if (bytes.empty() && !nothing && !refuses_multishot(tag, cqe.res)) {
        on_end(slot, cqe.res);
        return;
    }
    if (!bytes.empty()) on_received(slot, bytes);
    if (state.receiving == ReceiveState::idle) schedule_update(slot);
}

}  // namespace ringpost
