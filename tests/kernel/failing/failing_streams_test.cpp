// Streams, sockets of the caller, and what a process knows of itself, when the kernel refuses a call.

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>

#include "engine/os/owner.hpp"
#include "engine/os/resources.hpp"
#include "engine/os/system_error.hpp"
#include "engine/udp/sending.hpp"
#include "tests/kernel/faces/face_test.hpp"
#include "tests/kernel/failing/failing_calls.hpp"

namespace ringpost::test {
namespace {

using StreamKind = StreamRequest::Kind;

/// The kinds of the inputs after one turn.
std::vector<StreamInput::Kind> kinds_after_turn(MmsgBackend& backend) {
    std::vector<StreamInput::Kind> out;
    backend.enter(0);
    for (const StreamEvent& event : backend.stream_events())
        if (!event.accepted) out.push_back(event.input.kind);
    backend.reap();
    return out;
}

TEST(FailingStreams, a_connection_that_cannot_be_watched_ends) {
    const StreamListener listener = StreamListener::open(loopback_v4()).value();
    const auto backend = MmsgBackend::open({}).value();
    const std::vector<StreamInput::Kind> closed{StreamInput::Kind::closed};
    const StreamRequest connect{.kind = StreamKind::connect, .stream = 3, .peer = listener.local()};
    {
        const FailingCall failing("epoll_ctl", ENOSPC, 1);
        EXPECT_FALSE(backend->post(connect));
        EXPECT_EQ(kinds_after_turn(*backend), closed);
        EXPECT_TRUE(failing.reached());
        EXPECT_EQ(backend->counters().connect_failed, 1u);
    }
    EXPECT_FALSE(backend->post(connect));
    bool connected = false;
    for (const Instant give_up = now() + patience; !connected && now() < give_up;)
        for (const StreamInput::Kind kind : kinds_after_turn(*backend))
            connected |= kind == StreamInput::Kind::connected;
    ASSERT_TRUE(connected);
    const FailingCall failing("epoll_ctl", ENOSPC, 1);
    EXPECT_FALSE(backend->post({.kind = StreamKind::pause, .stream = 3, .peer = {}}));
    EXPECT_EQ(kinds_after_turn(*backend), closed);
    EXPECT_EQ(backend->counters().streams_broken, 1u);
}

TEST(FailingStreams, a_listener_that_cannot_be_watched_is_tried_again) {
    const auto backend = MmsgBackend::open({}).value();
    auto listener = StreamListener::open(loopback_v4()).value();
    const Address local = listener.local();
    ASSERT_TRUE(backend->listen(std::move(listener)));
    {
        const FailingCall failing("epoll_ctl", ENOSPC, 1);
        backend->enter(0);
        EXPECT_TRUE(failing.reached());
    }
    EXPECT_EQ(backend->counters().accept_failed, 1u);
    const StreamSocket client = StreamSocket::open(Family::v4).value();
    client.connect(local);
    bool accepted = false;
    for (const Instant give_up = now() + patience; !accepted && now() < give_up;) {
        backend->enter(second);
        accepted = !backend->stream_events().empty();
        backend->reap();
    }
    EXPECT_TRUE(accepted);
}

TEST(FailingStreams, a_ring_without_buffers_for_them_refuses) {
    if (!UringBackend::open({})) GTEST_SKIP() << "no io_uring";
    const auto backend = UringBackend::open({}).value();
    const FailingCall failing("io_uring_register_buf_ring", ENOMEM, 1, 2);
    const auto listening = backend->listen(StreamListener::open(loopback_v4()).value());
    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().code, ENOMEM);
    const auto closed = backend->post({.kind = StreamKind::connect, .stream = 3, .peer = loopback_v4(9)});
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->kind, StreamInput::Kind::closed);
    EXPECT_EQ(closed->end, StreamEnd::failed);
    EXPECT_EQ(closed->stream, 3u);
    EXPECT_EQ(backend->counters().connect_failed, 1u);
}

TEST(FailingStreams, a_ring_that_cannot_signal_is_itself_the_descriptor) {
    if (!UringBackend::open({})) GTEST_SKIP() << "no io_uring";
    for (const char* call : {"eventfd", "io_uring_register_eventfd"}) {
        Driven<UringBackend> receiver(0);
        const SocketIndex socket = receiver.add_bound(loopback_v4());
        const FailingCall failing(call, ENOMEM, 1);
        EXPECT_GE(receiver->stay_armed(), 0);
        EXPECT_TRUE(failing.reached());
        Peer(loopback_v4()).send("it arrives", receiver.local(socket));
        EXPECT_TRUE(receiver.await_received(1));
    }
    EXPECT_NE(UringBackend::open({}).value()->granted().find("cqsize"), std::string::npos);
}

TEST(FailingStreams, a_descriptor_that_was_never_watched_may_be_unwatched) {
    const auto mmsg = MmsgBackend::open({}).value();
    mmsg->unwatch(STDIN_FILENO);
    EXPECT_TRUE(mmsg->watch(mmsg->waker().fd()));
    if (!UringBackend::open({})) GTEST_SKIP() << "no io_uring";
    const auto uring = UringBackend::open({}).value();
    uring->unwatch(STDIN_FILENO);
    EXPECT_TRUE(uring->watch(uring->waker().fd()));
}

// ---- sockets --------------------------------------------------------------------------------------

TEST(FailingSockets, of_the_caller) {
    const Peer own(loopback_v4());
    SocketOptions options;
    options.adopted = own.fd();
    for (const auto& [call, first] :
         {std::pair{"getsockopt", 1u}, {"getsockname", 1u}, {"getsockname", 2u}, {"fcntl64", 1u}, {"fcntl64", 3u}}) {
        const std::size_t before = descriptors_open();
        const FailingCall failing(call, ENOBUFS, first);
        EXPECT_EQ(UdpSocket::open(options).error().code, ENOBUFS) << call << " " << first;
        EXPECT_EQ(descriptors_open(), before);
    }
    options.ecn = true;
    const FailingCall failing("setsockopt", ENOPROTOOPT, 1, 100);
    EXPECT_EQ(UdpSocket::open(options).error().code, ENOPROTOOPT);
}

TEST(FailingSockets, one_that_cannot_steer) {
    UdpSocket socket = UdpSocket::open(sharing_port(loopback_v4())).value();
    const FailingCall failing("setsockopt", ENOMEM, 1);
    EXPECT_EQ(socket.steer_by_second_byte(std::byte{1}, std::byte{1}).error().code, ENOMEM);
}

TEST(FailingSockets, an_interface_cannot_be_looked_up_without_a_descriptor) {
    for (const int error : {EMFILE, ENFILE}) {
        const FailingCall failing("socket", error, 1);
        EXPECT_EQ(resolve("fe80::1%lo", 9).error().code, error);
        EXPECT_TRUE(failing.reached());
    }
}

TEST(FailingSockets, the_path_of_one_without_options_is_unknown) {
    const Peer peer(loopback_v4());
    const UdpSocket socket = UdpSocket::open(connected_to(peer.local())).value();
    const FailingCall failing("getsockopt", ENOPROTOOPT, 1);
    EXPECT_FALSE(path_mtu(socket));
}

TEST(FailingSockets, how_they_send) {
    for (const Address& bind : {loopback_v4(), loopback_v6()}) {
        const UdpSocket socket = UdpSocket::open(bound_to(bind)).value();
        SendingOptions options;
        options.dscp = options.hop_limit = 1;
        options.fragments = SendingOptions::Fragments::probe;
        options.busy_poll = microsecond;
        const unsigned each = bind.family == Family::v4 ? 1 : 2;
        const char* const texts[] = {"set IP_TOS: ", "set IP_TTL: ", "set IP_MTU_DISCOVER: ", "set SO_BUSY_POLL: "};
        for (unsigned i = 0; i < std::size(texts); ++i) {
            const FailingCall failing("setsockopt", ENOPROTOOPT, i < 3 ? each * (i + 1) : 3 * each + 1);
            const auto set = set_sending(socket, options);
            ASSERT_FALSE(set) << texts[i];
            EXPECT_TRUE(set.error().text.starts_with(texts[i])) << set.error().text;
        }
    }
}

// The longest train is found once in a process.
TEST(FailingSockets, the_longest_train_is_found_without_a_socket_or_a_kernel_that_sends_it) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto segments_with = [](const char* call, unsigned first, unsigned times) {
        const FailingCall failing(call, EINVAL, first, times);
        std::exit(static_cast<int>(kernel_train_segments()));
    };
    const auto exits_with = [](std::size_t count) { return testing::ExitedWithCode(static_cast<int>(count)); };
    EXPECT_EXIT(segments_with("socket", 1, 1), exits_with(limits::train_segments_always), "");
    EXPECT_EXIT(segments_with("socket", 2, 1), exits_with(limits::train_segments_always), "");
    EXPECT_EXIT(segments_with("sendmsg", 1, 1), exits_with(limits::train_segments_always), "");
    EXPECT_EXIT(segments_with("sendmsg", 1, 2), exits_with(1), "");
}

// ---- the process ----------------------------------------------------------------------------------

TEST(FailingProcess, without_memory_for_its_mark_a_fork_is_not_noticed) {
    for (const char* call : {"mmap64", "madvise"}) {
        const FailingCall failing(call, ENOMEM, 1);
        const ForkMark mark;
        EXPECT_FALSE(mark.forked());
        EXPECT_TRUE(failing.reached()) << call;
    }
}

TEST(FailingProcess, what_cannot_be_read_is_no_limit) {
    {
        const FailingCall failing("getrlimit64", EFAULT, 1, 2);
        EXPECT_EQ(descriptors_max(), SIZE_MAX);
        EXPECT_EQ(system_error("x", EMFILE).text, "x: Too many open files");
    }
    const FailingCall failing("opendir", EMFILE, 1);
    EXPECT_EQ(descriptors_open(), 0u);
}

}  // namespace
}  // namespace ringpost::test
