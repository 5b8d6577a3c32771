// Every listener has a multishot accept armed, and every stream that is not paused a multishot receive, which delivers
// into provided buffers until it ends: out of buffers, a cancel, the peer's end. Those that have ended are armed again
// by the next enter(), in the order in which they ended, so that no stream keeps the buffers from the others. Where a
// kernel refuses multishot (EINVAL), each request brings one thing and is made anew.
//
// What a socket did not take of a write is one request, which waits in the kernel for room (MSG_WAITALL: until all has
// gone; should it be told of a part all the same, the next request is for the rest).
//
// Requests that name a descriptor are queued by prepare() only and handed over in the same enter(), so that none is
// still waiting to be handed over when its descriptor is closed. A connection that is closed cancels what it has in
// flight, and its slot is free when the last of it has completed.

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
            let_go(slot);
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
    for (const std::uint16_t id : lent_) buffers_.give_back(id);
    lent_.clear();
    return Streams::prepare(sleep);
}

void UringStreams::serve(Slot slot) {
    const Connection& of = connection(slot);
    Requests& has = requests(slot);
    if (of.connecting) {
        if (!has.connecting) connect(slot, has);
        return;
    }
    if (!of.unsent.empty() && !has.sending) send(slot, has);
    if (of.paused && has.receiving == ReceiveState::armed) {
        has.receiving = ReceiveState::cancelling;
        cancel(has.receive);
    }
    if (!of.wants_bytes() || has.receiving != ReceiveState::idle) return;
    if (buffers_.available() > 0)
        receive(slot, has);
    else  // they are in completions not yet taken: armed now, it would end at once
        serve_later(slot);
}

void UringStreams::attend(std::uint32_t index) {
    Listener& on = listener(index);
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_accept(sqe, on.socket.fd(), nullptr, nullptr, accept_flags);
    if (multishot_) sqe->ioprio |= IORING_ACCEPT_MULTISHOT;
    sqe->user_data = UringTag{.kind = Kind::accept, .multishot = multishot_, .index = index}.pack();
    on.waiting = true;
}

bool UringStreams::let_go(Slot slot) {
    const Requests& has = requests(slot);
    if (has.connecting) cancel({.kind = Kind::connect, .index = slot});
    if (has.sending) cancel({.kind = Kind::stream_send, .index = slot});
    if (has.receiving == ReceiveState::armed) cancel(has.receive);
    return has.in_flight == 0;
}

void UringStreams::connect(Slot slot, Requests& has) {
    const Connection& to = connection(slot);
    const socklen_t length = to_socket_address(to.peer, to.peer.family, has.address);
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_connect(sqe, to.socket.fd(), &has.address.any, length);
    hand_over(sqe, {.kind = Kind::connect, .index = slot});
    has.connecting = true;
}

void UringStreams::receive(Slot slot, Requests& has) {
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_recv(sqe, connection(slot).socket.fd(), nullptr, 0, 0);
    if (multishot_) sqe->ioprio |= IORING_RECV_MULTISHOT;
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = buffers_.group();
    has.receive = {.kind = Kind::stream_receive, .multishot = multishot_, .index = slot};
    hand_over(sqe, has.receive);
    has.receiving = ReceiveState::armed;
}

void UringStreams::send(Slot slot, Requests& has) {
    const Connection& to = connection(slot);
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_send(sqe, to.socket.fd(), to.unsent.data(), to.unsent.size(), MSG_WAITALL | MSG_NOSIGNAL);
    hand_over(sqe, {.kind = Kind::stream_send, .index = slot});
    has.sending = true;
}

void UringStreams::cancel(UringTag tag) {
    io_uring_sqe* sqe = ring_.submission();
    io_uring_prep_cancel64(sqe, tag.pack(), 0);
    hand_over(sqe, {.kind = Kind::stream_cancel, .index = tag.index});
}

void UringStreams::hand_over(io_uring_sqe* sqe, UringTag tag) {
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
    Requests& has = requests(slot);
    const bool closed = !connection(slot).socket.is_open();
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) --has.in_flight;
    switch (tag.kind) {
        case Kind::connect:
            has.connecting = false;
            if (!closed) on_connected(slot, cqe.res);
            break;
        case Kind::stream_send:
            has.sending = false;
            if (!closed) on_sent(slot, cqe.res);
            break;
        case Kind::stream_receive: complete_receive(tag, cqe); break;
        default: break;  // a cancel has done its work, or come too late
    }
    if (closed && has.in_flight == 0) release(slot);
}

void UringStreams::complete_accept(const UringTag& tag, const io_uring_cqe& cqe) {
    Listener& on = listener(tag.index);
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) on.waiting = false;
    if (!refuses_multishot(tag, cqe.res)) on_accepted(on, cqe.res);
}

bool UringStreams::refuses_multishot(const UringTag& tag, int result) {
    const bool refuses = result == -EINVAL && tag.multishot;
    if (refuses) multishot_ = false;
    return refuses;
}

void UringStreams::complete_receive(const UringTag& tag, const io_uring_cqe& cqe) {
    const Slot slot = tag.index;
    Requests& has = requests(slot);
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) has.receiving = ReceiveState::idle;
    std::span<const std::byte> bytes;
    if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
        const auto id = static_cast<std::uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
        buffers_.taken();
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
    if (has.receiving == ReceiveState::idle) serve_later(slot);
}

}  // namespace ringpost
