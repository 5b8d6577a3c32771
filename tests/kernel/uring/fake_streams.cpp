// Requests complete as in the kernel: immediately if possible, otherwise during an enter. A request shares ownership of
// its stream, so closing the descriptor does not end it; only a cancel does.

#include "tests/kernel/uring/fake_streams.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "engine/os/address.hpp"
#include "engine/os/system_error.hpp"
#include "engine/tcp/stream_socket.hpp"
#include "engine/uring/uring_tag.hpp"
#include "tests/kernel/uring/fake_ring.hpp"

namespace ringpost {

using test::fake_kernel;

const int accept_flags = 0;

Result<StreamSocket> StreamSocket::open(Family) {
    if (const int error = fake_kernel().streams.script.open(); error != 0)
        return std::unexpected(system_error("open a TCP socket", error));
    return StreamSocket(fake_kernel().streams.open());
}
StreamSocket StreamSocket::accepted(int fd) { return StreamSocket(fd); }
StreamSocket::StreamSocket(StreamSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
StreamSocket& StreamSocket::operator=(StreamSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}
StreamSocket::~StreamSocket() {
    if (fd_ >= 0) fake_kernel().close_stream(fd_);
}
Address StreamSocket::peer() const { return fake_kernel().streams.peer(fd_); }
int StreamSocket::send(std::span<const std::byte> bytes) const { return fake_kernel().streams.send(fd_, bytes); }

Result<StreamListener> StreamListener::open(const Address&) { return StreamListener(fake_kernel().streams.listen()); }
StreamListener::StreamListener(StreamListener&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
StreamListener::~StreamListener() = default;

namespace test {

int FakeStreams::open() {
    streams_[next_descriptor_] = std::make_shared<FakeStream>();
    streams_[next_descriptor_]->descriptors = 1;
    return next_descriptor_++;
}

void FakeStreams::close(int descriptor) {
    ASSERT_TRUE(has(descriptor)) << "closed twice";
    --streams_[descriptor]->descriptors;
    streams_.erase(descriptor);
}

Address FakeStreams::peer(int descriptor) const { return script.gone() ? Address{} : streams_.at(descriptor)->peer; }

int FakeStreams::send(int descriptor, std::span<const std::byte> bytes) {
    FakeStream& stream = *streams_.at(descriptor);
    EXPECT_TRUE(stream.established);
    for (const Request& request : requests_)
        EXPECT_FALSE(request.stream.get() == &stream && request.sqe->opcode == IORING_OP_SEND) << "two writes at once";
    return take(stream, reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

int FakeStreams::take(FakeStream& stream, const char* bytes, std::size_t size) {
    const int taken = stream.broken != 0 ? -EPIPE : script.send(size);
    if (taken > 0) stream.taken.append(bytes, static_cast<std::size_t>(taken));
    stream.refused |= taken < 0 && taken != -EAGAIN && taken != -EINTR;
    return taken;
}

void FakeStreams::issue(const io_uring_sqe& sqe, unsigned enters) {
    Request& request = requests_.emplace_back();
    request.sqe = std::make_shared<const io_uring_sqe>(sqe);
    if (sqe.opcode != IORING_OP_ACCEPT) {
        const auto found = streams_.find(sqe.fd);
        ASSERT_NE(found, streams_.end()) << "a request with a closed descriptor";
        request.stream = found->second;
        highest_slot = std::max(highest_slot, UringTag::unpack(sqe.user_data).index);
    }
    for (const Request& other : requests_)
        EXPECT_TRUE(&other == &request || other.sqe->user_data != sqe.user_data) << "two requests with one user_data";
    if (sqe.opcode == IORING_OP_CONNECT) {
        request.stream->peer = from_socket_address(*reinterpret_cast<const sockaddr*>(sqe.addr));
        by_peer[to_text(request.stream->peer)] = request.stream;
    }
    run(request, Caller::awake, enters);
    if (request.over) requests_.pop_back();
}

bool FakeStreams::cancel(std::uint64_t user_data, unsigned enters) {
    const auto found = std::ranges::find_if(
        requests_, [&](const Request& request) { return request.sqe->user_data == user_data && !request.cancelled; });
    if (found == requests_.end()) return false;
    found->cancelled = true;
    found->ends_at = enters + script.lateness();
    return true;
}

void FakeStreams::run(Caller caller, unsigned enters) {
    for (Request& request : requests_) run(request, caller, enters);
    std::erase_if(requests_, [](const Request& request) { return request.over; });
}

bool FakeStreams::idle() const {
    return std::ranges::none_of(requests_, [this](const Request& request) { return due(request); });
}

bool FakeStreams::due(const Request& request) const {
    if (request.cancelled) return true;
    switch (request.sqe->opcode) {
        case IORING_OP_ACCEPT: return !backlog.empty();
        case IORING_OP_RECV: return request.stream->ended || !request.stream->incoming.empty();
        default: return true;  // depends on the script
    }
}

void FakeStreams::end(Request& request, std::int64_t result, std::uint32_t flags) {
    complete_(request.sqe->user_data, result, flags);
    request.over = true;
}

void FakeStreams::run(Request& request, Caller caller, unsigned enters) {
    EXPECT_TRUE(request.stream == nullptr || request.stream->descriptors > 0 || request.cancelled)
        << "closed without cancelling a request in flight";
    const bool many = (request.sqe->ioprio & (IORING_RECV_MULTISHOT | IORING_ACCEPT_MULTISHOT)) != 0;
    if (many && !script.multishot) return end(request, -EINVAL);
    switch (request.sqe->opcode) {
        case IORING_OP_ACCEPT: run_accept(request); break;
        case IORING_OP_CONNECT: run_connect(request); break;
        case IORING_OP_SEND: run_send(request); break;
        case IORING_OP_RECV: run_receive(request); break;
        default: ADD_FAILURE() << "unexpected request " << int{request.sqe->opcode};
    }
    if (!request.over && request.cancelled && (caller == Caller::asleep || enters >= request.ends_at))
        end(request, -ECANCELED);
}

void FakeStreams::run_accept(Request& request) {
    while (!backlog.empty() && !request.over) {
        if (const int error = script.accept(); error != 0) return end(request, -error);
        auto stream = backlog.front();
        backlog.pop_front();
        stream->established = true;
        stream->descriptors = 1;
        by_peer[to_text(stream->peer)] = stream;
        streams_[next_descriptor_] = std::move(stream);
        if ((request.sqe->ioprio & IORING_ACCEPT_MULTISHOT) == 0) return end(request, next_descriptor_++);
        complete_(request.sqe->user_data, next_descriptor_++, IORING_CQE_F_MORE);
    }
}

void FakeStreams::run_connect(Request& request) {
    const int error = script.connect();
    if (error == EAGAIN) return;
    request.stream->established = error == 0;
    end(request, -error);
}

void FakeStreams::run_send(Request& request) {
    // Reads the bytes only now: they must remain valid until the request ends.
    const int taken = take(*request.stream, reinterpret_cast<const char*>(request.sqe->addr), request.sqe->len);
    if (taken != -EAGAIN && taken != 0) end(request, taken);
}

void FakeStreams::run_receive(Request& request) {
    FakeStream& stream = *request.stream;
    const bool many = (request.sqe->ioprio & IORING_RECV_MULTISHOT) != 0;
    EXPECT_TRUE((request.sqe->flags & IOSQE_BUFFER_SELECT) != 0);
    while (!stream.incoming.empty()) {
        const FakeShot shot = script.shot();
        if (shot == FakeShot::fail) return end(request, -script.shot_errno);
        const io_uring_buf* buffer = take_buffer_(request.sqe->buf_group);
        if (buffer == nullptr) return end(request, -ENOBUFS);
        const std::size_t size =
            std::clamp<std::size_t>(std::min(script.cut(), stream.incoming.size()), 1, buffer->len);
        std::memcpy(reinterpret_cast<char*>(buffer->addr), stream.incoming.data(), size);
        stream.incoming.erase(0, size);
        const bool more = many && shot == FakeShot::deliver;
        const std::uint32_t flags = IORING_CQE_F_BUFFER | std::uint32_t{buffer->bid} << IORING_CQE_BUFFER_SHIFT |
                                    (more ? IORING_CQE_F_MORE : 0);
        if (!more) return end(request, static_cast<std::int64_t>(size), flags);
        complete_(request.sqe->user_data, static_cast<std::int64_t>(size), flags);
    }
    if (stream.ended) end(request, -stream.broken);
}

}  // namespace test
}  // namespace ringpost
