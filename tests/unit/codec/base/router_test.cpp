// Router: each datagram reaches the endpoint that owns its socket; sends, timers and events of all come through.

#include "codec/base/router.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "codec/devices/endpoint.hpp"
#include "codec/echo/endpoint.hpp"
#include "codec/gtudp/endpoint.hpp"

namespace ringpost::test {
namespace {

/// Records its datagrams, each of which becomes an event and a reply.
struct Recorder {
    using Event = std::size_t;
    void handle(Instant, const Datagram& in) {
        received.push_back(in.socket);
        events.push_back(in.bytes.size());
        transmits.push_back({in.source, in.socket, in.bytes.size(), in.bytes.size(), in.local});
    }
    void handle_timeout(Instant now) {
        ++timeouts;
        EXPECT_GE(now, due.value());
        due.reset();
    }
    std::optional<Transmit> poll_transmit(Instant, std::span<std::byte>) { return take(transmits); }
    std::optional<Event> poll_event() { return take(events); }
    std::optional<Instant> poll_timeout() const { return due; }

    template <class T>
    static std::optional<T> take(std::deque<T>& queue) {
        if (queue.empty()) return std::nullopt;
        const T front = queue.front();
        queue.pop_front();
        return front;
    }

    std::vector<SocketIndex> received;
    std::deque<std::size_t> events;
    std::deque<Transmit> transmits;
    std::optional<Instant> due;
    int timeouts = 0;
};

class RouterTest : public ::testing::Test {
  protected:
    RouterTest() {
        router.assign<0>(2);
        router.assign<1>(0);
    }
    void receive(SocketIndex socket, std::size_t bytes) {
        router.handle(1, {Address::v4(192, 0, 2, 1, 7), socket, std::span(memory).first(bytes)});
    }

    Recorder first, second;
    Router<Recorder, Recorder> router{first, second};
    std::array<std::byte, 64> memory{};
};

TEST_F(RouterTest, a_datagram_reaches_the_owner_of_its_socket) {
    receive(0, 3);
    receive(2, 4);
    receive(1, 5);
    receive(9, 6);
    EXPECT_EQ(first.received, std::vector<SocketIndex>{2});
    EXPECT_EQ(second.received, std::vector<SocketIndex>{0});
    EXPECT_EQ(router.unassigned(), 2u);
}

/// Takes trains, and counts how often their memory goes.
struct TrainRecorder : Recorder {
    void handle_train(Instant, const Datagram& train, std::size_t segment_bytes) {
        trains.emplace_back(train.bytes.size(), segment_bytes);
    }
    void retain() { ++retained; }
    std::vector<std::pair<std::size_t, std::size_t>> trains;
    int retained = 0;
};

TEST_F(RouterTest, trains_stay_whole_where_they_are_taken) {
    static_assert(RetainingEndpoint<Router<Recorder, TrainRecorder>>);
    TrainRecorder whole;
    Router<Recorder, TrainRecorder> both{first, whole};
    both.assign<0>(0);
    both.assign<1>(1);
    for (SocketIndex socket : {0u, 1u, 2u})
        both.handle_train(1, {Address::v4(192, 0, 2, 1, 7), socket, std::span(memory).first(50)}, 20);
    both.retain();
    EXPECT_EQ(first.events, (std::deque<std::size_t>{20, 20, 10}));
    EXPECT_EQ(whole.trains, (std::vector<std::pair<std::size_t, std::size_t>>{{50, 20}}));
    EXPECT_EQ(whole.retained, 1);
    EXPECT_EQ(both.unassigned(), 3u);
}

TEST_F(RouterTest, an_event_says_whose_it_is) {
    receive(0, 3);
    receive(2, 4);
    const auto of_first = router.poll_event(), of_second = router.poll_event();
    ASSERT_TRUE(of_first && of_second);
    EXPECT_EQ(of_first->index(), 0u);
    EXPECT_EQ(std::get<0>(*of_first), 4u);
    EXPECT_EQ(of_second->index(), 1u);
    EXPECT_EQ(std::get<1>(*of_second), 3u);
    EXPECT_FALSE(router.poll_event());
}

TEST_F(RouterTest, endpoints_send_in_turn) {
    for (int i = 0; i < 3; ++i) {
        receive(0, 3);
        receive(2, 4);
    }
    std::vector<SocketIndex> sockets;
    while (const auto transmit = router.poll_transmit(1, memory)) sockets.push_back(transmit->socket);
    EXPECT_EQ(sockets, (std::vector<SocketIndex>{2, 0, 2, 0, 2, 0}));
}

TEST_F(RouterTest, the_earliest_timer_counts_and_only_due_ones_expire) {
    EXPECT_FALSE(router.poll_timeout());
    first.due = 50;
    second.due = 20;
    EXPECT_EQ(router.poll_timeout(), 20);
    router.handle_timeout(20);
    EXPECT_EQ(first.timeouts, 0);
    EXPECT_EQ(second.timeouts, 1);
    EXPECT_EQ(router.poll_timeout(), 50);
}

static_assert(StreamEndpoint<Router<gtudp::Endpoint, devices::Endpoint, echo::Endpoint>>);
static_assert(DatagramEndpoint<Router<gtudp::Endpoint, echo::Endpoint>>);
static_assert(!StreamEndpoint<Router<gtudp::Endpoint, echo::Endpoint>>);

}  // namespace
}  // namespace ringpost::test
