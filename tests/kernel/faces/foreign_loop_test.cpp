// The descriptor and the deadline of each face, waited for with poll(2).

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <ringpost/devices.hpp>
#include <ringpost/engine.hpp>
#include "codec/echo/endpoint.hpp"
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::test {
namespace {

bool is_readable(int fd) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, 0) == 1;
}

/// Waits until the descriptor is readable or the deadline is reached, at most `patience`.
void wait_for(int fd, Instant deadline) {
    const Duration left = std::clamp<Duration>(deadline == never ? patience : deadline - now(), 0, patience);
    pollfd wait{fd, POLLIN, 0};
    ::poll(&wait, 1, static_cast<int>((left + millisecond - 1) / millisecond));
}

class ForeignLoop : public OnBackend {};

TEST_P(ForeignLoop, a_messenger_sends_receives_and_resends_by_poll_0_alone) {
    gtudp::Messenger alice = open_messenger(), bob = open_messenger();
    const gtudp::Messenger::Handler ignore = [](const gtudp::Event&) {};
    const int alice_fd = alice.fd(), bob_fd = bob.fd();
    ASSERT_TRUE(alice.send(bob.local(), as_bytes("one")));
    EXPECT_LE(alice.next_deadline(), now());
    alice.poll(0, ignore);
    // The peer's answers are lost as long as it is not polled: a deadline is due, and then only the descriptor.
    EXPECT_LT(alice.next_deadline(), never);
    bool confirmed = false, received = false;
    const gtudp::Messenger::Handler of_alice = [&](const gtudp::Event& event) {
        confirmed |= event.kind == gtudp::Event::Kind::outcome && event.outcome == gtudp::Outcome::confirmed;
    };
    const gtudp::Messenger::Handler of_bob = [&](const gtudp::Event& event) {
        received |= event.kind == gtudp::Event::Kind::message;
    };
    for (const Instant give_up = now() + patience; !(confirmed && received) && now() < give_up;) {
        pollfd waits[] = {{alice_fd, POLLIN, 0}, {bob_fd, POLLIN, 0}};
        const Instant deadline = std::min(alice.next_deadline(), bob.next_deadline());
        const Duration left = std::clamp<Duration>(deadline - now(), 0, patience);
        ::poll(waits, 2, static_cast<int>((left + millisecond - 1) / millisecond));
        alice.poll(0, of_alice);
        bob.poll(0, of_bob);
    }
    EXPECT_TRUE(confirmed && received);
}

TEST_P(ForeignLoop, a_descriptor_is_readable_only_while_there_is_work) {
    gtudp::Messenger messenger = open_messenger();
    const gtudp::Messenger::Handler ignore = [](const gtudp::Event&) {};
    const int fd = messenger.fd();
    while (messenger.poll(0, ignore) || is_readable(fd)) continue;
    EXPECT_EQ(messenger.next_deadline(), never);
    EXPECT_FALSE(is_readable(fd));
    gtudp::Messenger other = open_messenger();
    ASSERT_TRUE(other.send(messenger.local(), as_bytes("x")));
    other.poll(0, ignore);
    wait_for(fd, never);
    EXPECT_TRUE(is_readable(fd));
}

TEST_P(ForeignLoop, epoll_is_woken_by_what_arrives) {
    gtudp::Messenger messenger = open_messenger();
    const gtudp::Messenger::Handler ignore = [](const gtudp::Event&) {};
    const int set = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    ASSERT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, messenger.fd(), &event), 0);
    while (messenger.poll(0, ignore) || epoll_wait(set, &event, 1, 0) == 1) continue;
    gtudp::Messenger other = open_messenger();
    ASSERT_TRUE(other.send(messenger.local(), as_bytes("x")));
    other.poll(0, ignore);
    EXPECT_EQ(epoll_wait(set, &event, 1, static_cast<int>(patience / millisecond)), 1);
    ::close(set);
}

TEST_P(ForeignLoop, wake_makes_the_descriptor_readable_until_the_next_poll) {
    gtudp::Messenger messenger = open_messenger();
    const gtudp::Messenger::Handler ignore = [](const gtudp::Event&) {};
    const int fd = messenger.fd();
    messenger.poll(0, ignore);
    std::thread([&] { messenger.wake(); }).join();
    wait_for(fd, never);
    EXPECT_TRUE(is_readable(fd));
    for (int i = 0; i < 4 && is_readable(fd); ++i) messenger.poll(0, ignore);
    EXPECT_FALSE(is_readable(fd));
}

TEST_P(ForeignLoop, a_threaded_messenger_is_readable_while_it_holds_something) {
    gtudp::ThreadedMessenger alice = open_engine(), bob = open_engine();
    const int alice_fd = alice.fd(), bob_fd = bob.fd();
    EXPECT_EQ(bob_fd, bob.fd());
    EXPECT_EQ(bob.receive(0), std::nullopt);
    EXPECT_FALSE(is_readable(bob_fd));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(alice.send(bob.local(), as_bytes("x")));
    int messages = 0, outcomes = 0;
    for (const Instant give_up = now() + patience; (messages < 3 || outcomes < 3) && now() < give_up;) {
        wait_for(messages < 3 ? bob_fd : alice_fd, never);
        while (bob.receive(0)) ++messages;
        while (alice.next_outcome(0)) ++outcomes;
    }
    EXPECT_EQ(messages, 3);
    EXPECT_EQ(outcomes, 3);
    EXPECT_FALSE(is_readable(bob_fd));
    EXPECT_FALSE(is_readable(alice_fd));
}

TEST_P(ForeignLoop, an_engine_drives_an_endpoint_of_the_program) {
    Engine server = Engine::open({.backend = GetParam()}).value();
    const SocketIndex socket = server.open_socket({.bind = loopback_v4()}).value();
    echo::Endpoint endpoint;
    const auto on_event = [](Instant, const echo::Endpoint::Event&) {};
    const int fd = server.fd();
    Peer peer(loopback_v4());
    peer.send("ping", server.local(socket));
    for (const Instant give_up = now() + patience; server.counters().sent == 0 && now() < give_up;) {
        wait_for(fd, server.next_deadline());
        server.poll(0, endpoint, on_event);
    }
    EXPECT_EQ(peer.receive_texts(1), std::vector<std::string>{"ping"});
    server.close_socket(socket);
    EXPECT_TRUE(server.open_socket({.bind = loopback_v4()}));
}

RINGPOST_ON_BOTH_BACKENDS(ForeignLoop);

}  // namespace
}  // namespace ringpost::test
