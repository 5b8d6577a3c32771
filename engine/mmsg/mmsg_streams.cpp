// epoll looks out for what each connection wants: bytes unless it is paused, room while something is unsent or the
// connection is being made, and for nothing at all (it is taken out) when it is paused and has nothing to send. For a
// connection that has ended is always «ready», and would wake us again and again.
//
// Each descriptor that is ready is served once a turn, and epoll takes turns among those that stay ready.

#include "engine/mmsg/mmsg_streams.hpp"

#include <sys/epoll.h>

#include <cerrno>

namespace ringpost {
namespace {

constexpr int accepts_per_turn = 64;
constexpr std::uint64_t listener_mark = std::uint64_t{1} << 61;

}  // namespace

MmsgStreams::MmsgStreams(int epoll_fd, EngineCounters& counters, WriteBuffers& writes)
    : Streams(counters, writes),
      epoll_fd_(epoll_fd),
      memory_(new std::byte[stream_receive_buffers * stream_receive_bytes]) {}

Duration MmsgStreams::prepare(Duration sleep) {
    used_ = 0;
    return Streams::prepare(sleep);
}

// ---- what to look out for ---------------------------------------------------------------------------

void MmsgStreams::serve(Slot slot) {
    const Connection& of = connection(slot);
    if (of.connecting && watched(slot) == 0) {
        const int result = of.socket.connect(of.peer);
        if (result != -EINPROGRESS) {
            on_connected(slot, result);
            return;
        }
    }
    const bool wants_room = of.connecting || !of.unsent.empty();
    const int result = set_interest(slot, (of.wants_bytes() ? EPOLLIN : 0u) | (wants_room ? EPOLLOUT : 0u));
    if (result == 0) return;
    if (of.connecting)
        on_connected(slot, result);
    else
        on_end(slot, result);
}

int MmsgStreams::set_interest(Slot slot, std::uint32_t events) {
    if (events == watched(slot)) return 0;
    const int verb = events == 0 ? EPOLL_CTL_DEL : watched(slot) == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    epoll_event event{};
    event.events = events;
    event.data.u64 = mark | slot;
    if (epoll_ctl(epoll_fd_, verb, connection(slot).socket.fd(), &event) != 0) return -errno;
    watched(slot) = events;
    return 0;
}

void MmsgStreams::attend(std::uint32_t index) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = mark | listener_mark | index;
    Listener& on = listener(index);
    on.waiting = epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, on.socket.fd(), &event) == 0;
    if (!on.waiting) on_accepted(on, -errno);
}

bool MmsgStreams::let_go(Slot slot) {
    // Closing would do the same, but not while a child that has just been forked holds the descriptor too.
    set_interest(slot, 0);
    return true;
}

std::uint32_t& MmsgStreams::watched(Slot slot) {
    if (slot >= watched_.size()) watched_.resize(slot + 1);
    return watched_[slot];
}

// ---- what has come ----------------------------------------------------------------------------------

void MmsgStreams::ready(std::uint64_t data, std::uint32_t events) {
    const auto index = static_cast<std::uint32_t>(data);
    if ((data & listener_mark) != 0) {
        accept(index);
        return;
    }
    const Connection& of = connection(index);
    if (of.connecting) {
        on_connected(index, of.socket.result());
        return;
    }
    const std::uint32_t ended = EPOLLERR | EPOLLHUP;
    if (!of.unsent.empty() && (events & (EPOLLOUT | ended)) != 0) on_sent(index, of.socket.send(of.unsent));
    if (of.socket.is_open() && of.wants_bytes() && (events & (EPOLLIN | ended)) != 0) receive(index);
}

void MmsgStreams::accept(std::uint32_t index) {
    Listener& on = listener(index);
    for (int i = 0; i < accepts_per_turn; ++i) {
        const int result = on.socket.accept();
        on_accepted(on, result);
        if (result < 0) break;
    }
    if (on.rests_until == 0) return;
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, on.socket.fd(), nullptr);
    on.waiting = false;
}

void MmsgStreams::receive(Slot slot) {
    if (used_ == stream_receive_buffers) return;
    const std::span<std::byte> buffer{&memory_[used_ * stream_receive_bytes], stream_receive_bytes};
    const int result = connection(slot).socket.receive(buffer);
    if (result > 0) {
        ++used_;
        on_received(slot, buffer.first(static_cast<std::size_t>(result)));
    } else if (result != -EAGAIN && result != -EINTR) {
        on_end(slot, result);
    }
}

}  // namespace ringpost
