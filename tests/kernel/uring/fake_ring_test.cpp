// UringBackend on the fake ring: one failure at a time.

#include "tests/kernel/uring/fake_world.hpp"

namespace ringpost::test {
namespace {

/// Fails the messages whose position in submission order is in `which`.
std::function<int(const Outgoing&)> fail_those(std::set<std::size_t> which, int error) {
    return
        [which, error, count = std::size_t{0}](const Outgoing&) mutable { return which.contains(count++) ? error : 0; };
}

std::vector<int> results(const World::Socket& socket) {
    std::vector<int> out;
    for (const Outgoing& message : socket.fake->outgoing) out.push_back(message.result);
    return out;
}

TEST(FakeRing, everything_is_delivered_without_failures) {
    World world;
    World::Socket& unconnected = world.add();
    World::Socket& connected = world.add({.connected = true, .gro = false});
    for (int round = 0; round < 20; ++round) {
        EXPECT_TRUE(world.post(unconnected, 40, 100, 9));
        EXPECT_TRUE(world.post(connected));
        world.push(unconnected, 10, 50, 20);
        world.push(connected);
        world.turn(round % 3 == 0 ? never : 0);
    }
    EXPECT_EQ(unconnected.fake->outgoing.at(0).destination, world.peer);
    EXPECT_EQ(unconnected.fake->outgoing.at(0).segment_bytes, 100u);
    EXPECT_EQ(connected.fake->outgoing.at(0).destination, Address{});
    world.settle();
    EXPECT_EQ(world.trains_received, 20u);
    EXPECT_EQ(world.backend->counters().send_retried, 0u);
    world.verify();
}

TEST(FakeRing, a_full_socket_queues_the_message_again_and_waits) {
    for (std::size_t kth = 0; kth < 6; ++kth) {
        World world;
        World::Socket& socket = world.add();
        world.script().send = fail_those({kth}, EAGAIN);
        for (int i = 0; i < 6; ++i) EXPECT_TRUE(world.post(socket));
        world.turn(0);
        EXPECT_TRUE(world.backend->blocked());
        EXPECT_TRUE(world.backend->transmit_buffer().empty());
        bool room = false;
        world.script().room = [&] { return room; };
        world.script().send = [&](const Outgoing& message) { return message.waits && !room ? EAGAIN : 0; };
        world.turn(0);
        EXPECT_EQ(socket.fake->outgoing.size(), 6u) << "the retry waits in the kernel";
        EXPECT_TRUE(world.backend->blocked());
        room = true;
        world.turn(0);
        EXPECT_FALSE(world.backend->blocked());
        ASSERT_EQ(socket.fake->outgoing.size(), 7u);
        EXPECT_TRUE(socket.fake->outgoing.back().waits) << "retried without MSG_DONTWAIT";
        EXPECT_EQ(world.backend->counters().send_retried, 1u);
        world.settle();
        world.verify();
    }
}

TEST(FakeRing, messages_refused_by_a_full_socket_follow_in_order) {
    World world;
    World::Socket& socket = world.add();
    world.script().send = fail_those({1, 2, 3, 4, 5}, EAGAIN);
    for (int i = 0; i < 6; ++i) EXPECT_TRUE(world.post(socket));
    world.turn(0);
    world.settle();
    std::vector<std::string> taken;
    for (const Outgoing& message : socket.fake->outgoing)
        if (message.result == 0) taken.push_back(message.bytes.substr(4, 1));
    EXPECT_EQ(taken, (std::vector<std::string>{{"\0", 1}, "\1", "\2", "\3", "\4", "\5"}));
    world.verify();
}

TEST(FakeRing, enobufs_is_retried) {
    World world;
    World::Socket& socket = world.add();
    int refusals = 5;
    world.script().send = [&](const Outgoing&) { return refusals-- > 0 ? ENOBUFS : 0; };
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(world.post(socket));
    for (int i = 0; i < 5; ++i) world.turn(0);
    world.settle();
    EXPECT_EQ(world.backend->counters().send_retried, 5u);
    EXPECT_EQ(world.backend->counters().send_failed, 0u);
    world.verify();
}

TEST(FakeRing, one_refusal_among_a_thousand_blocks_later_posts) {
    // More messages in one enter than a submission queue or a batch of completions holds.
    for (const std::size_t kth : {3, 300, 600, 1'000}) {
        World world({.gso = false});
        World::Socket& socket = world.add();
        world.script().send = fail_those({kth}, EAGAIN);
        for (std::size_t i = 0; i < limits::transmit_buffers_max; ++i) EXPECT_TRUE(world.post(socket, 100));
        world.turn(0);
        EXPECT_GT(socket.fake->outgoing.size(), 1'500u);
        world.script().send = [](const Outgoing& message) { return message.waits ? EAGAIN : 0; };
        for (int i = 0; i < 6; ++i) {
            while (world.post(socket)) {
            }
            world.turn(0);
        }
        EXPECT_TRUE(world.backend->blocked());
        world.settle();
        EXPECT_EQ(world.backend->counters().send_failed, 0u);
        world.verify();
    }
}

TEST(FakeRing, a_path_without_gso_gets_single_datagrams) {
    World world;
    World::Socket& socket = world.add();
    World::Socket& other = world.add();
    world.script().send = [&](const Outgoing& message) {
        return message.segment_bytes > 0 && message.bytes[0] == 1 ? EIO : 0;
    };
    EXPECT_TRUE(world.post(socket, 10, 100, 30));
    world.turn(0);
    world.turn(0);
    EXPECT_EQ(socket.fake->outgoing.size(), 11u) << "the train, then its datagrams";
    EXPECT_TRUE(world.post(socket, 5));
    EXPECT_TRUE(world.post(other, 5));
    world.turn(0);
    EXPECT_EQ(socket.fake->outgoing.size(), 16u) << "latched for the lifetime of the socket";
    EXPECT_EQ(other.fake->outgoing.size(), 1u) << "other sockets are not affected";
    world.settle();
    EXPECT_EQ(world.backend->counters().send_failed, 0u);
    EXPECT_EQ(world.backend->counters().sent, 20u);
    EXPECT_EQ(world.backend->counters().trains_refused, 1u);
    world.verify();
}

TEST(FakeRing, only_segments_too_long_for_the_path_are_sent_singly) {
    for (const int error : {EINVAL, EMSGSIZE}) {
        World world;
        World::Socket& socket = world.add();
        world.script().send = [&](const Outgoing& message) { return message.segment_bytes > 1'400 ? error : 0; };
        const auto messages_for = [&](std::size_t segment_bytes) {
            const std::size_t before = socket.fake->outgoing.size();
            EXPECT_TRUE(world.post(socket, 10, segment_bytes, 30));
            world.turn(0);
            world.turn(0);
            return socket.fake->outgoing.size() - before;
        };
        EXPECT_EQ(messages_for(2'000), 11u);
        EXPECT_EQ(messages_for(2'000), 10u);
        EXPECT_EQ(messages_for(3'000), 10u);
        EXPECT_EQ(messages_for(1'401), 11u) << "smaller than the refused size";
        EXPECT_EQ(messages_for(1'401), 10u);
        EXPECT_EQ(messages_for(1'400), 1u);
        EXPECT_EQ(world.backend->counters().sent, 60u);
        world.settle();
        world.verify();
    }
}

TEST(FakeRing, the_latch_to_singles_ends_with_the_socket) {
    World world;
    World::Socket& old_socket = world.add();
    world.script().send = [](const Outgoing& message) { return message.segment_bytes > 0 ? EIO : 0; };
    EXPECT_TRUE(world.post(old_socket, 10));
    world.turn(0);
    world.turn(0);
    world.remove(old_socket);
    for (int i = 0; i < 4; ++i) world.turn(0);
    world.script().send = [](const Outgoing&) { return 0; };
    World::Socket& new_socket = world.add();
    ASSERT_EQ(new_socket.index, old_socket.index);
    EXPECT_TRUE(world.post(new_socket, 10));
    world.turn(0);
    EXPECT_EQ(new_socket.fake->outgoing.size(), 1u);
    world.settle();
    world.verify();
}

TEST(FakeRing, a_refused_single_datagram_is_counted) {
    for (const int error : {EIO, EINVAL, EMSGSIZE, ECONNREFUSED, ECANCELED, EPERM}) {
        World world;
        World::Socket& socket = world.add();
        world.script().send = fail_those({1}, error);
        for (int i = 0; i < 3; ++i) EXPECT_TRUE(world.post(socket));
        world.turn(0);
        EXPECT_EQ(results(socket), (std::vector<int>{0, error, 0}));
        const EngineCounters counters = world.backend->counters();
        EXPECT_EQ(counters.sent, 2u);
        EXPECT_EQ(counters.send_failed, 1u);
        EXPECT_EQ(counters.last_send_errno, error);
        EXPECT_EQ(counters.unreachable, error == ECONNREFUSED ? 1u : 0u);
        world.settle();
        world.verify();
    }
}

TEST(FakeRing, a_failed_retry_unblocks_the_others) {
    for (const int error : {ECONNREFUSED, ECANCELED, EPERM}) {
        World world;
        World::Socket& socket = world.add();
        world.script().send = [&](const Outgoing& message) { return message.waits ? error : EAGAIN; };
        EXPECT_TRUE(world.post(socket, 4, 16, 16));
        EXPECT_TRUE(world.post(socket));
        world.turn(0);
        world.turn(0);
        EXPECT_EQ(world.backend->counters().send_failed, 4u);
        EXPECT_FALSE(world.backend->blocked());
        world.settle();
        EXPECT_EQ(world.backend->counters().sent, 1u);
        world.verify();
    }
}

TEST(FakeRing, a_retried_train_that_is_refused_is_split_and_keeps_its_place) {
    World world;
    World::Socket& socket = world.add();
    world.script().send = [&](const Outgoing& message) {
        return !message.waits ? EAGAIN : message.segment_bytes > 0 ? EMSGSIZE : 0;
    };
    EXPECT_TRUE(world.post(socket, 4));
    EXPECT_TRUE(world.post(socket));
    world.turn(0);
    world.turn(0);
    world.settle();
    EXPECT_EQ(world.backend->counters().sent, 5u);
    world.verify();
}

TEST(FakeRing, removing_a_full_socket_unblocks_the_others) {
    World world;
    World::Socket& full = world.add();
    World::Socket& other = world.add();
    world.script().send = [&](const Outgoing&) { return EAGAIN; };
    EXPECT_TRUE(world.post(full));
    EXPECT_TRUE(world.post(full));
    EXPECT_TRUE(world.post(other));
    world.turn(0);
    world.turn(0);  // the first is being retried
    world.remove(full);
    world.settle();
    EXPECT_TRUE(world.post(other)) << "still blocked";
    world.settle();
    // The retry was already in flight; the message behind it failed because its socket was removed.
    EXPECT_EQ(world.backend->counters().sent, 3u);
    EXPECT_EQ(world.backend->counters().send_failed, 1u);
    world.verify();
}

TEST(FakeRing, a_multishot_that_ends_is_armed_again_without_loss) {
    for (const Shot shot : {Shot::deliver_and_end, Shot::fail, Shot::fail_with_buffer})
        for (const int error : {ECONNREFUSED, EIO, ECANCELED}) {
            World world;
            World::Socket& socket = world.add();
            world.turn(50);
            EXPECT_EQ(world.kernel().multishots(), 1u);
            int good = 0;
            world.script().shot = [&] { return good-- > 0 ? Shot::deliver : (good = 2, shot); };
            world.script().shot_errno = error;
            for (int round = 0; round < 30; ++round) {
                world.push(socket);
                world.push(socket, 3);
                world.turn(50);
            }
            world.settle();
            EXPECT_EQ(socket.received, 120u);
            const EngineCounters counters = world.backend->counters();
            EXPECT_EQ(counters.unreachable > 0, error == ECONNREFUSED && shot != Shot::deliver_and_end);
            EXPECT_EQ(counters.receive_failed > 0, error == EIO && shot != Shot::deliver_and_end);
            world.verify();
        }
}

TEST(FakeRing, more_arrivals_than_provided_buffers_wait_in_the_socket) {
    World world;
    World::Socket& first = world.add();
    World::Socket& second = world.add();
    world.turn(50);
    for (int i = 0; i < 150; ++i) {
        world.push(first);
        world.push(second);
    }
    world.settle();
    EXPECT_EQ(first.received, 150u);
    EXPECT_EQ(second.received, 150u);
    EXPECT_EQ(world.backend->counters().receive_failed, 0u) << "running out of buffers is not a failure";
    world.verify();
}

TEST(FakeRing, nothing_else_reads_until_a_cancelled_multishot_ends) {
    World world;
    World::Socket& socket = world.add();
    world.turn(50);
    world.script().lateness = [] { return 10u; };
    for (int i = 0; i < 8; ++i) {
        world.push(socket);
        world.turn(0);
        EXPECT_EQ(world.kernel().multishots(), 1u);
    }
    EXPECT_EQ(socket.received, 8u);
    world.settle();
    world.verify();
}

TEST(FakeRing, completions_after_remove_are_dropped) {
    World world;
    World::Socket& old_socket = world.add();
    world.turn(50);
    world.script().lateness = [] { return 5u; };
    world.push(old_socket);
    world.remove(old_socket);
    World::Socket& new_socket = world.add();
    EXPECT_NE(new_socket.index, old_socket.index) << "reused with requests in flight";
    for (int i = 0; i < 8; ++i) {
        old_socket.fake->incoming.push_back({world.peer, "for the old one", 0});
        world.push(new_socket);
        world.turn(0);
    }
    EXPECT_EQ(new_socket.received, 8u);
    EXPECT_EQ(world.add().index, old_socket.index) << "not reused after the last completion";
    world.settle();
    world.verify();
}

TEST(FakeRing, unreaped_datagrams_are_dropped_with_their_socket) {
    World world;
    World::Socket& old_socket = world.add();
    world.push(old_socket);
    world.backend->enter(0);
    world.remove(old_socket);
    World::Socket& new_socket = world.add();
    EXPECT_EQ(new_socket.index, old_socket.index);
    EXPECT_TRUE(world.backend->reap().empty());
    world.settle();
    world.verify();
}

TEST(FakeRing, failed_direct_receives_are_counted_and_retried) {
    World world;
    World::Socket& socket = world.add({.connected = true});
    int tries = 0;
    world.script().receive = [&] { return ++tries % 3 == 0 ? 0 : tries % 3 == 1 ? ECONNREFUSED : EIO; };
    for (int i = 0; i < 30; ++i) world.push(socket);
    for (int i = 0; i < 120; ++i) world.turn(0);
    EXPECT_EQ(socket.received, 30u);
    EXPECT_GT(world.backend->counters().unreachable, 0u);
    EXPECT_GT(world.backend->counters().receive_failed, 0u);
    world.settle();
    world.verify();
}

TEST(FakeRing, stamps_come_with_trains_and_only_if_requested) {
    World world;
    for (const bool connected : {true, false})
        for (const bool gro : {true, false})
            for (const bool stamps : {true, false}) world.add({.connected = connected, .gro = gro, .stamps = stamps});
    for (int round = 0; round < 20; ++round) {
        for (const auto& socket : world.sockets) world.push(*socket, socket->gro ? 10 : 1, 50, 20);
        world.turn(round % 3 == 0 ? never : 0);
    }
    world.settle();
    EXPECT_EQ(world.trains_received, 80u);
    world.verify();
}

TEST(FakeRing, closing_with_everything_in_flight_is_harmless) {
    World world;
    for (int i = 0; i < 6; ++i) world.push(world.add({.connected = i % 2 == 0}));
    world.script().lateness = [] { return 100u; };
    world.script().room = [] { return false; };
    world.script().send = [](const Outgoing&) { return EAGAIN; };
    for (int i = 0; i < 6; ++i) EXPECT_TRUE(world.post(*world.sockets[0]));
    world.turn(50);
    world.turn(50);
    EXPECT_GT(world.backend->in_flight(), 1u);
    world.backend.reset();
}

}  // namespace
}  // namespace ringpost::test
