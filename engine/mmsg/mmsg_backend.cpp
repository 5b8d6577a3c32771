// The same guarantees as the io_uring backend, with three system calls: sendmmsg, recvmmsg, epoll_pwait2.
//
// Sending: messages are sent in order, consecutive messages of one socket in one call. If a socket buffer is full
// (EAGAIN), the rest stays queued and sending is blocked until epoll reports the socket writable.
// Receiving: with few sockets, each turn receives from all of them; with many, only from those that epoll reports. A
// turn that does not sleep first tries the socket that sent last, where a reply is due.

#include "engine/mmsg/mmsg_backend.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "codec/base/check.hpp"
#include "engine/os/system_error.hpp"
#include "engine/udp/socket_errors.hpp"
#include "engine/udp/system_calls.hpp"

namespace ringpost {
namespace {

constexpr std::size_t messages_per_call = 32;
constexpr std::uint64_t polls_per_waker_look = 64;
constexpr std::uint64_t waker_mark = std::uint64_t{1} << 63;
constexpr std::uint64_t watches_mark = waker_mark + 1;

}  // namespace

Result<std::unique_ptr<MmsgBackend>> MmsgBackend::open(const EngineOptions& options) {
    auto waker = Waker::open();
    if (!waker) return std::unexpected(waker.error());
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) return std::unexpected(system_error("epoll_create1", errno));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = waker_mark;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, waker->fd(), &event);
    return std::unique_ptr<MmsgBackend>(new MmsgBackend(epoll_fd, std::move(*waker), options));
}

MmsgBackend::MmsgBackend(int epoll_fd, Waker waker, const EngineOptions& options)
    : waker_(std::move(waker)),
      epoll_fd_(epoll_fd),
      outbox_(options.gso ? kernel_train_segments() : 1),
      sends_(messages_per_call) {
    received_.reserve(received_max);
}

MmsgBackend::~MmsgBackend() { ::close(epoll_fd_); }

// ---- sockets, streams and watched descriptors -----------------------------------------------------

SocketIndex MmsgBackend::add(UdpSocket socket) {
    auto index = static_cast<SocketIndex>(sockets_open_ == sockets_.size() ? sockets_.size() : 0);
    while (index < sockets_.size() && (sockets_[index].socket || outbox_.uses(index))) ++index;
    if (index == sockets_.size()) sockets_.emplace_back();
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, socket.fd(), &event);
    outbox_.unlatch(index);
    sockets_[index].socket.emplace(std::move(socket));
    ++sockets_open_;
    return index;
}

void MmsgBackend::remove(SocketIndex index) {
    RINGPOST_CHECK(sockets_[index].socket.has_value());
    flush();
    counters_.socket_dropped += sockets_[index].socket->new_drops();
    sockets_[index] = {};  // closing the last descriptor removes it from the epoll set
    std::erase(readable_, index);
    --sockets_open_;
}

void MmsgBackend::open_streams() {
    if (streams_ == nullptr) streams_ = std::make_unique<MmsgStreams>(epoll_fd_, counters_, write_buffers_);
}

Result<void> MmsgBackend::listen(StreamListener listener) {
    open_streams();
    streams_->listen(std::move(listener));
    return {};
}

std::optional<StreamInput> MmsgBackend::post(const StreamRequest& request) {
    open_streams();
    return streams_->post(request);
}

int MmsgBackend::stay_armed() {
    stays_armed_ = true;
    enter(0);
    return epoll_fd_;
}

Result<Watched> MmsgBackend::watch(int fd) {
    if (!watches_) {
        auto opened = Watches::open();
        if (!opened) return std::unexpected(opened.error());
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = watches_mark;
        epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, opened->fd(), &event);
        watches_.emplace(std::move(*opened));
    }
    return watches_->add(fd);
}

void MmsgBackend::unwatch(int fd) {
    if (watches_) watches_->remove(fd);
}

EngineCounters MmsgBackend::counters() {
    for (SocketSlot& slot : sockets_)
        if (slot.socket) counters_.socket_dropped += slot.socket->new_drops();
    return counters_;
}

// ---- sending --------------------------------------------------------------------------------------

std::span<std::byte> MmsgBackend::transmit_buffer() { return blocked_ ? std::span<std::byte>{} : outbox_.buffer(); }

void MmsgBackend::post(const Transmit& transmit) {
    outbox_.post(transmit, *sockets_[transmit.socket].socket);
    sent_last_ = transmit.socket;
}

void MmsgBackend::flush() {
    blocked_ = false;
    while (!outbox_.empty() && !blocked_) {
        const SocketIndex index = outbox_.socket(outbox_.front());
        if (!sockets_[index].socket) {
            counters_.send_failed += outbox_.segments(outbox_.front());
            outbox_.done(outbox_.front());
            outbox_.pop();
            continue;
        }
        std::size_t count = 0;
        const std::size_t at_most = std::min(outbox_.size(), messages_per_call);
        for (; count < at_most && outbox_.socket(outbox_.at(count)) == index; ++count)
            sends_[count].msg_hdr = outbox_.header(outbox_.at(count));
        const int fd = sockets_[index].socket->fd();
        const int sent = send_now(fd, sends_.data(), count);
        // sendmmsg reports an error only for the first message. A later failure shows as a short count; the next
        // iteration retries that message first.
        if (sent < 0 && sockets_[index].socket->reports_errors() && may_be_queued(-sent))
            sockets_[index].socket->discard_errors();
        if (sent < 0) finish_send(outbox_.front(), sent);
        for (int i = 0; i < sent; ++i) finish_send(outbox_.front(), 0);
    }
}

/// Completes the first queued message with 0 or a negative errno.
void MmsgBackend::finish_send(MessageId id, int result) {
    const std::size_t segments = outbox_.segments(id);
    if (result == -EINTR) return;
    if (is_full(-result)) {
        ++counters_.send_retried;
        blocked_ = true;
        return;
    }
    outbox_.pop();
    if (refuses_trains(-result) && segments > 1) {
        counters_.trains_refused += outbox_.latch_singles(id, Outbox::refused_by(-result)) ? 1 : 0;
        outbox_.split(id, Outbox::Place::first);
        return;
    }
    if (result == 0) {
        count_sent(counters_, segments);
    } else {
        count_send_error(counters_, -result, segments);
        failures_.add(outbox_.destination(id).value_or(sockets_[outbox_.socket(id)].socket->peer()), -result);
    }
    outbox_.done(id);
}

// ---- receiving ------------------------------------------------------------------------------------

void MmsgBackend::enter(Duration sleep) {
    received_.clear();
    inbox_.clear();
    if (waits_for_space_) set_interest(*std::exchange(waits_for_space_, std::nullopt), EPOLLIN);
    if (!outbox_.empty()) flush();
    if (streams_ != nullptr) sleep = streams_->prepare(sleep);
    polls_all_ = sockets_open_ <= polled_sockets_max;
    const bool polls = sleep <= 0;
    if (polls && !polls_all_ && !stays_armed_ && receive_reply()) return;
    if (!polls || !polls_all_ || streams_ != nullptr || stays_armed_ || ++polls_ % polls_per_waker_look == 0)
        sleep_until_ready(polls ? 0 : sleep);
    if (!stays_armed_ || !blocked_) return;
    waits_for_space_ = outbox_.socket(outbox_.front());
    set_interest(*waits_for_space_, EPOLLIN | EPOLLOUT);
}

/// Tries the socket that sent last, but not in two turns in a row, so that others get their turn.
bool MmsgBackend::receive_reply() {
    if (std::exchange(received_reply_, false) || sent_last_ >= sockets_.size()) return false;
    SocketSlot& slot = sockets_[sent_last_];
    if (!slot.socket) return false;
    inbox_.receive(*slot.socket, sent_last_, slot.burst, received_, counters_);
    received_reply_ = !received_.empty();
    return received_reply_;
}

std::span<const Received> MmsgBackend::reap() {
    if (polls_all_)
        receive_from_all();
    else
        receive_from_readable();
    settle_stamps(received_);
    count_received(counters_, received_);
    return received_;
}

void MmsgBackend::receive_from_all() {
    const auto count = static_cast<SocketIndex>(sockets_.size());
    for (SocketIndex i = 0; i < count && !inbox_.full(); ++i) {
        const SocketIndex index = (next_socket_ + i) % count;
        SocketSlot& slot = sockets_[index];
        if (slot.socket) inbox_.receive(*slot.socket, index, slot.burst, received_, counters_);
    }
    if (count > 0) next_socket_ = (next_socket_ + 1) % count;
}

/// Those that have more wait behind the others.
void MmsgBackend::receive_from_readable() {
    std::size_t done = 0;
    for (const std::size_t count = readable_.size(); done < count && !inbox_.full(); ++done) {
        const SocketIndex index = readable_[done];
        SocketSlot& slot = sockets_[index];
        slot.readable = inbox_.receive(*slot.socket, index, slot.burst, received_, counters_);
        if (slot.readable) readable_.push_back(index);
    }
    readable_.erase(readable_.begin(), readable_.begin() + static_cast<std::ptrdiff_t>(done));
}

void MmsgBackend::sleep_until_ready(Duration sleep) {
    if (blocked_) set_interest(outbox_.socket(outbox_.front()), EPOLLIN | EPOLLOUT);
    epoll_event events[received_max];
    const timespec limit{sleep / second, sleep % second};
    int count = epoll_pwait2(epoll_fd_, events, received_max, sleep == never ? nullptr : &limit, nullptr);
    if (count < 0 && errno != EINTR) {  // not available (Linux before 5.11, seccomp): fall back to milliseconds
        const Duration whole_ms = sleep <= 0 ? 0 : std::min(sleep / millisecond + 1, Duration{INT_MAX});
        count = epoll_wait(epoll_fd_, events, received_max, sleep == never ? -1 : static_cast<int>(whole_ms));
    }
    for (int i = 0; i < count; ++i) {
        const std::uint64_t data = events[i].data.u64;
        if (data == waker_mark)
            waker_.clear();
        else if (data == watches_mark)
            continue;  // waking up is enough
        else if ((data & MmsgStreams::mark) != 0)
            streams_->ready(data, events[i].events);
        else if (!std::exchange(sockets_[data].readable, true))
            readable_.push_back(static_cast<SocketIndex>(data));
    }
    if (blocked_) set_interest(outbox_.socket(outbox_.front()), EPOLLIN);
}

void MmsgBackend::set_interest(SocketIndex index, std::uint32_t events) {
    if (!sockets_[index].socket) return;
    epoll_event event{};
    event.events = events;
    event.data.u64 = index;
    epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, sockets_[index].socket->fd(), &event);
}

}  // namespace ringpost
