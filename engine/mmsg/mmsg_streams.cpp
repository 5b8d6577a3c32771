// The epoll interest of a connection follows its state: EPOLLIN unless paused, EPOLLOUT while connecting or while a
// write is partial. A paused connection without unsent bytes is removed from the set, because EPOLLHUP is always
// reported and would wake the loop repeatedly after the connection has ended.
//
// Each ready descriptor is handled once per turn. epoll rotates among descriptors that stay ready.

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

// ---- interest ---------------------------------------------------------------------------------------

void MmsgStreams::update(Slot slot) {
    const Connection& conn = connection(slot);
    if (conn.connecting && watched(slot) == 0) {
        const int result = conn.socket.connect(conn.peer);
        if (result != -EINPROGRESS) {
            on_connected(slot, result);
            return;
        }
    }
    const bool wants_room = conn.connecting || !conn.unsent.empty();
    const int result = set_interest(slot, (conn.wants_bytes() ? EPOLLIN : 0u) | (wants_room ? EPOLLOUT : 0u));
    if (result == 0) return;
    if (conn.connecting)
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

void MmsgStreams::start_accepting(std::uint32_t index) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = mark | listener_mark | index;
    Listener& entry = listener(index);
    entry.waiting = epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, entry.socket.fd(), &event) == 0;
    if (!entry.waiting) on_accepted(entry, -errno);
}

bool MmsgStreams::cancel_requests(Slot slot) {
    // Closing removes it too, but not while a forked child also holds the descriptor.
    set_interest(slot, 0);
    return true;
}

std::uint32_t& MmsgStreams::watched(Slot slot) {
    if (slot >= watched_.size()) watched_.resize(slot + 1);
    return watched_[slot];
}

// ---- readiness --------------------------------------------------------------------------------------

void MmsgStreams::ready(std::uint64_t data, std::uint32_t events) {
    const auto index = static_cast<std::uint32_t>(data);
    if ((data & listener_mark) != 0) {
        accept(index);
        return;
    }
    const Connection& conn = connection(index);
    if (conn.connecting) {
        on_connected(index, conn.socket.result());
        return;
    }
    const std::uint32_t ended = EPOLLERR | EPOLLHUP;
    if (!conn.unsent.empty() && (events & (EPOLLOUT | ended)) != 0) on_sent(index, conn.socket.send(conn.unsent));
    if (conn.socket.is_open() && conn.wants_bytes() && (events & (EPOLLIN | ended)) != 0) receive(index);
}

void MmsgStreams::accept(std::uint32_t index) {
    Listener& entry = listener(index);
    for (int i = 0; i < accepts_per_turn; ++i) {
        const int result = entry.socket.accept();
        on_accepted(entry, result);
        if (result < 0) break;
    }
    if (entry.paused_until == 0) return;
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, entry.socket.fd(), nullptr);
    entry.waiting = false;
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
