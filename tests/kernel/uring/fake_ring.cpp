// Requests complete as in the kernel: sends on submission, everything else during an enter. Misuse by the engine, such
// as a request with a closed descriptor or a buffer provided twice, fails the test.

#include "tests/kernel/uring/fake_ring.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "engine/os/address.hpp"
#include "engine/udp/control.hpp"
#include "engine/udp/system_calls.hpp"
#include "engine/uring/ring.hpp"

namespace ringpost {

using test::fake_kernel;

Result<Ring> Ring::open(unsigned submissions, unsigned completions) {
    Ring ring;
    fake_kernel().start(submissions, completions);
    ring.open_ = true;
    return ring;
}

Ring::Ring(Ring&& other) noexcept : ring_(other.ring_), open_(std::exchange(other.open_, false)) {}
Ring::~Ring() = default;

io_uring_sqe* Ring::submission() { return fake_kernel().submission(); }
void Ring::submit_and_poll() { fake_kernel().enter(); }
void Ring::submit_and_wait(Duration timeout) { fake_kernel().enter_and_sleep(timeout < 0); }

std::size_t Ring::completions(std::span<io_uring_cqe*> out) {
    static_assert(sizeof(test::FakeKernel::Completion) == sizeof(io_uring_cqe));
    auto& ready = fake_kernel().completions;
    const std::size_t count = std::min(out.size(), ready.size());
    for (std::size_t i = 0; i < count; ++i) out[i] = reinterpret_cast<io_uring_cqe*>(&ready[i]);
    return count;
}

void Ring::advance(std::size_t count) {
    auto& ready = fake_kernel().completions;
    ASSERT_LE(count, ready.size());
    ready.erase(ready.begin(), ready.begin() + static_cast<std::ptrdiff_t>(count));
}

bool Ring::idle() { return fake_kernel().idle(); }
bool Ring::nothing_queued() { return fake_kernel().nothing_queued(); }
bool Ring::completions_ready() { return !fake_kernel().completions.empty(); }

Result<void> Ring::register_buffers(io_uring_buf_ring* buffers, unsigned entries, std::uint16_t group) {
    fake_kernel().register_buffers(buffers, entries, group);
    return {};
}

int send_now(int fd, mmsghdr* messages, std::size_t count) { return fake_kernel().send_now(fd, messages, count); }
int receive_now(int fd, mmsghdr* messages, std::size_t count) { return fake_kernel().receive_now(fd, messages, count); }

namespace test {
namespace {

std::unique_ptr<FakeKernel> kernel;

Outgoing message_of(const msghdr& header) {
    Outgoing out;
    EXPECT_EQ(header.msg_iovlen, 1u);
    out.bytes.assign(static_cast<const char*>(header.msg_iov->iov_base), header.msg_iov->iov_len);
    if (header.msg_name != nullptr) out.destination = from_socket_address(*static_cast<sockaddr*>(header.msg_name));
    if (header.msg_controllen > 0) {
        const cmsghdr* control = CMSG_FIRSTHDR(&header);
        EXPECT_TRUE(control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_SEGMENT);
        std::uint16_t segment_bytes = 0;
        std::memcpy(&segment_bytes, CMSG_DATA(control), sizeof segment_bytes);
        out.segment_bytes = segment_bytes;
        EXPECT_GT(out.bytes.size(), out.segment_bytes) << "a train of one segment";
    }
    return out;
}

Outgoing message_of(const io_uring_sqe& sqe) {
    Outgoing out;
    if (sqe.opcode == IORING_OP_SEND)
        out.bytes.assign(reinterpret_cast<const char*>(sqe.addr), sqe.len);
    else
        out = message_of(*reinterpret_cast<const msghdr*>(sqe.addr));
    out.waits = (sqe.msg_flags & MSG_DONTWAIT) == 0;
    return out;
}

/// Writes source address, time stamp and UDP_GRO in the kernel's format.
void fill_name(const Incoming& datagram, void* name, std::size_t room) {
    SocketAddress address;
    const socklen_t length = to_socket_address(datagram.source, Family::v6, address);
    std::memcpy(name, &address, std::min<std::size_t>(length, room));
}
std::size_t put_control(void* control, std::size_t room, int level, int type, const void* data, std::size_t bytes) {
    EXPECT_GE(room, CMSG_SPACE(bytes)) << "no room for a control message of type " << type;
    if (room < CMSG_SPACE(bytes)) return 0;
    cmsghdr header{};
    header.cmsg_level = level;
    header.cmsg_type = type;
    header.cmsg_len = CMSG_LEN(bytes);
    std::memcpy(control, &header, sizeof header);
    std::memcpy(static_cast<char*>(control) + CMSG_LEN(0), data, bytes);
    return CMSG_SPACE(bytes);
}
std::size_t fill_control(const Incoming& datagram, void* control, std::size_t room) {
    std::size_t used = 0;
    if (datagram.stamped_unix_ns != 0) {
        scm_timestamping stamps{};
        stamps.ts[0] = {datagram.stamped_unix_ns / second, datagram.stamped_unix_ns % second};
        used += put_control(control, room, SOL_SOCKET, SCM_TIMESTAMPING, &stamps, sizeof stamps);
    }
    if (datagram.segment_bytes > 0) {
        const int segment_bytes = static_cast<int>(datagram.segment_bytes);
        used += put_control(static_cast<char*>(control) + used, room - used, SOL_UDP, UDP_GRO, &segment_bytes,
                            sizeof segment_bytes);
    }
    return used;
}

}  // namespace

FakeKernel& fake_kernel() { return *kernel; }
void new_fake_kernel() { kernel = std::make_unique<FakeKernel>(); }

FakeKernel::FakeKernel()
    : streams([this](std::uint64_t user_data, std::int64_t result,
                     std::uint32_t flags) { complete(user_data, result, flags); },
              [this](std::uint16_t group) { return take_buffer(group); }) {}

std::shared_ptr<FakeSocket> FakeKernel::open(int fd, bool connected) {
    auto socket = std::make_shared<FakeSocket>();
    socket->id = next_id_++;
    socket->connected = connected;
    sockets_[fd] = socket;
    return socket;
}

void FakeKernel::close(int fd) {
    EXPECT_TRUE(queue_.empty()) << "closed with unsubmitted requests";
    sockets_.erase(fd);
}

void FakeKernel::close_stream(int descriptor) {
    for (const io_uring_sqe& sqe : queue_)
        EXPECT_TRUE(sqe.fd != descriptor || sqe.opcode == IORING_OP_ASYNC_CANCEL) << "closed with unsubmitted requests";
    streams.close(descriptor);
}

void FakeKernel::start(unsigned submissions, unsigned completions_max) {
    submissions_max_ = submissions;
    completions_max_ = completions_max;
    queue_.reserve(submissions);
}

void FakeKernel::register_buffers(io_uring_buf_ring* buffers, unsigned entries, std::uint16_t group) {
    buffers_[group] = {buffers, entries, 0};
    EXPECT_EQ(buffers_offered(group), entries);
}

std::size_t FakeKernel::buffers_offered(std::uint16_t group) const { return buffers_.at(group).offered(); }

const io_uring_buf* FakeKernel::take_buffer(std::uint16_t group) {
    Buffers& from = buffers_.at(group);
    if (from.offered() == 0) return nullptr;
    return &from.ring->bufs[from.head++ % from.max];
}

void FakeKernel::Buffers::check() const {
    ASSERT_LE(offered(), max);
    std::set<std::uint16_t> ids;
    for (std::uint16_t at = head; at != ring->tail; ++at)
        EXPECT_TRUE(ids.insert(ring->bufs[at % max].bid).second) << "a buffer is provided twice";
}

io_uring_sqe* FakeKernel::submission() {
    if (queue_.size() == submissions_max_) submit();
    return &queue_.emplace_back();
}

void FakeKernel::enter() {
    submit();
    run(Caller::awake);
    ++enters_;
}

void FakeKernel::enter_and_sleep(bool without_limit) {
    submit();
    run(Caller::awake);
    if (completions.empty()) {
        run(Caller::asleep);
        if (completions.empty() && without_limit) stuck_ = true;
    }
    ++enters_;
}

/// False if an enter would complete anything.
bool FakeKernel::idle() const {
    const auto due = [](const Multishot& armed) { return armed.cancelled || !armed.socket->incoming.empty(); };
    const auto readable = [](const Poll& poll) {
        pollfd ready{poll.fd, POLLIN, 0};
        return ::poll(&ready, 1, 0) == 1;
    };
    return queue_.empty() && completions.empty() && waiting_.empty() && streams.idle() &&
           std::ranges::none_of(multishots_, due) && std::ranges::none_of(polls_, readable);
}

void FakeKernel::submit() {
    for (const io_uring_sqe& sqe : queue_) issue(sqe);
    queue_.clear();
}

void FakeKernel::issue(const io_uring_sqe& sqe) {
    if (streams.has(sqe.fd)) return streams.issue(sqe, enters_);
    switch (sqe.opcode) {
        case IORING_OP_ACCEPT: return streams.issue(sqe, enters_);
        case IORING_OP_SEND:
        case IORING_OP_SENDMSG: {
            const auto read = [sqe = std::make_shared<const io_uring_sqe>(sqe)] { return message_of(*sqe); };
            Waiting request{socket_of(sqe.fd), turn_, sqe.user_data, read};
            if (request.socket == nullptr) return complete(sqe.user_data, -EBADF);
            if (!send(request)) waiting_.push_back(std::move(request));
            return;
        }
        case IORING_OP_RECVMSG: return arm(sqe);
        case IORING_OP_POLL_ADD: polls_.push_back({sqe.fd, sqe.user_data}); return;
        case IORING_OP_ASYNC_CANCEL: return cancel(sqe);
        default: ADD_FAILURE() << "unexpected request " << int{sqe.opcode};
    }
}

std::shared_ptr<FakeSocket> FakeKernel::socket_of(int fd) {
    const auto found = sockets_.find(fd);
    if (found != sockets_.end()) return found->second;
    ADD_FAILURE() << "a request with a closed descriptor";
    return nullptr;
}

/// False if it must wait for space.
bool FakeKernel::send(const Waiting& request) {
    Outgoing message = request.read();
    message.turn = request.turn;
    message.result = script.send(message);
    if (message.result == EAGAIN && message.waits) return false;
    complete(request.user_data,
             message.result == 0 ? static_cast<std::int64_t>(message.bytes.size()) : -message.result);
    request.socket->outgoing.push_back(std::move(message));
    return true;
}

int FakeKernel::send_now(int fd, mmsghdr* messages, std::size_t count) {
    const auto socket = socket_of(fd);
    if (socket == nullptr) return -EBADF;
    for (std::size_t i = 0; i < count; ++i) {
        Outgoing message = message_of(messages[i].msg_hdr);
        message.direct = true;
        message.turn = turn_;
        message.result = script.send(message);
        const int error = message.result;
        socket->outgoing.push_back(std::move(message));
        if (error != 0) return i > 0 ? static_cast<int>(i) : -error;
    }
    return static_cast<int>(count);
}

int FakeKernel::receive_now(int fd, mmsghdr* messages, std::size_t count) {
    const auto socket = socket_of(fd);
    if (socket == nullptr) return -EBADF;
    for (const Multishot& armed : multishots_)
        EXPECT_TRUE(armed.socket != socket || nothing_queued()) << "a reader that could overtake the multishot receive";
    for (std::size_t i = 0; i < count; ++i) {
        const int error = script.receive();
        if (error != 0 || socket->incoming.empty()) return i > 0 ? static_cast<int>(i) : -(error != 0 ? error : EAGAIN);
        const Incoming datagram = std::move(socket->incoming.front());
        socket->incoming.pop_front();
        msghdr& header = messages[i].msg_hdr;
        EXPECT_LE(datagram.bytes.size(), header.msg_iov->iov_len);
        std::memcpy(header.msg_iov->iov_base, datagram.bytes.data(), datagram.bytes.size());
        if (header.msg_name != nullptr) fill_name(datagram, header.msg_name, header.msg_namelen);
        header.msg_controllen = fill_control(datagram, header.msg_control, header.msg_controllen);
        header.msg_flags = 0;
        messages[i].msg_len = static_cast<unsigned>(datagram.bytes.size());
    }
    return static_cast<int>(count);
}

void FakeKernel::arm(const io_uring_sqe& sqe) {
    const auto socket = socket_of(sqe.fd);
    if (socket == nullptr) return complete(sqe.user_data, -EBADF);
    EXPECT_TRUE((sqe.ioprio & IORING_RECV_MULTISHOT) != 0) << "only multishot receives are used";
    EXPECT_TRUE((sqe.flags & IOSQE_BUFFER_SELECT) != 0);
    for (const Multishot& other : multishots_) EXPECT_NE(other.user_data, sqe.user_data) << "armed twice";
    multishots_.push_back({socket, sqe.user_data, *reinterpret_cast<msghdr*>(sqe.addr)});
}

void FakeKernel::cancel(const io_uring_sqe& sqe) {
    const auto found = std::find_if(multishots_.begin(), multishots_.end(),
                                    [&](const Multishot& armed) { return armed.user_data == sqe.addr; });
    if (found == multishots_.end()) return complete(sqe.user_data, streams.cancel(sqe.addr, enters_) ? 0 : -ENOENT);
    found->cancelled = true;
    found->ends_at = enters_ + script.lateness();
    complete(sqe.user_data, 0);
}

/// The part of an enter after submission: receives deliver, waiting sends are retried, polls complete.
void FakeKernel::run(Caller caller) {
    for (const auto& [group, buffers] : buffers_) buffers.check();
    streams.run(caller, enters_);
    std::erase_if(waiting_,
                  [&](const Waiting& waiting) { return (caller == Caller::asleep || script.room()) && send(waiting); });
    std::erase_if(multishots_, [&](Multishot& multishot) { return !run_multishot(multishot, caller); });
    std::erase_if(polls_, [&](const Poll& poll) {
        pollfd ready{poll.fd, POLLIN, 0};
        if (::poll(&ready, 1, 0) != 1) return false;
        complete(poll.user_data, POLLIN);
        return true;
    });
}

/// False if it has ended.
bool FakeKernel::run_multishot(Multishot& multishot, Caller caller) {
    const auto end = [&](int error) {
        complete(multishot.user_data, -error);
        return false;
    };
    while (!multishot.socket->incoming.empty()) {
        const Shot shot = script.shot();
        if (shot == Shot::fail) return end(script.shot_errno);
        if (shot == Shot::fail_with_buffer) {
            const io_uring_buf* buffer = take_buffer(0);
            if (buffer == nullptr) return end(ENOBUFS);
            complete(multishot.user_data, -script.shot_errno,
                     IORING_CQE_F_BUFFER | std::uint32_t{buffer->bid} << IORING_CQE_BUFFER_SHIFT);
            return false;
        }
        if (!deliver(multishot, shot == Shot::deliver ? IORING_CQE_F_MORE : 0)) return end(ENOBUFS);
        if (shot == Shot::deliver_and_end) return false;
    }
    if (const int error = script.idle_shot(); error != 0) return end(error);
    if (multishot.cancelled && (caller == Caller::asleep || enters_ >= multishot.ends_at)) return end(ECANCELED);
    return true;
}

/// False if no buffer is available.
bool FakeKernel::deliver(Multishot& multishot, std::uint32_t more) {
    const io_uring_buf* buffer = take_buffer(0);
    if (buffer == nullptr) return false;
    const Incoming datagram = std::move(multishot.socket->incoming.front());
    multishot.socket->incoming.pop_front();
    const msghdr& shape = multishot.shape;
    char* at = reinterpret_cast<char*>(buffer->addr);
    const std::size_t size =
        sizeof(io_uring_recvmsg_out) + shape.msg_namelen + shape.msg_controllen + datagram.bytes.size();
    EXPECT_LE(size, buffer->len);
    io_uring_recvmsg_out out{};
    out.namelen = shape.msg_namelen;
    out.payloadlen = static_cast<std::uint32_t>(datagram.bytes.size());
    char* name = at + sizeof out;
    if (shape.msg_namelen > 0) fill_name(datagram, name, shape.msg_namelen);
    char* control = name + shape.msg_namelen;
    out.controllen = static_cast<std::uint32_t>(fill_control(datagram, control, shape.msg_controllen));
    std::memcpy(at, &out, sizeof out);
    std::memcpy(control + shape.msg_controllen, datagram.bytes.data(), datagram.bytes.size());
    complete(multishot.user_data, static_cast<std::int64_t>(size),
             IORING_CQE_F_BUFFER | more | std::uint32_t{buffer->bid} << IORING_CQE_BUFFER_SHIFT);
    return true;
}

void FakeKernel::complete(std::uint64_t user_data, std::int64_t result, std::uint32_t flags) {
    completions.push_back({user_data, static_cast<std::int32_t>(result), flags});
    EXPECT_LE(completions.size(), completions_max_) << "the completion queue overflows";
}

}  // namespace test
}  // namespace ringpost
