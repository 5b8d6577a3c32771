// Loop on both backends with an endpoint that records its calls; the wait policy; signals; with_loop().

#include "engine/loop/loop.hpp"

#include <poll.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>

#include "codec/base/router.hpp"
#include "codec/echo/endpoint.hpp"
#include "codec/gtudp/endpoint.hpp"
#include "engine/loop/open.hpp"
#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {
namespace {

class Recorder {
  public:
    struct Event {};

    void handle(Instant, const Datagram& in) {
        calls.push_back("handle " + text_of(in.bytes));
        received.push_back({in.source, in.socket, text_of(in.bytes)});
    }
    void handle_timeout(Instant at) {
        calls.push_back("timeout");
        EXPECT_GE(at, timeout.value_or(0)) << "too early";
        ++timeouts;
        timeout = timeouts_left-- > 0 ? std::optional(at + 300 * microsecond) : std::nullopt;
    }
    std::optional<Event> poll_event() {
        calls.push_back("poll_event");
        if (events == 0) return std::nullopt;
        --events;
        return Event{};
    }
    std::optional<Transmit> poll_transmit(Instant, std::span<std::byte> out) {
        calls.push_back("poll_transmit");
        if (outgoing.empty()) return std::nullopt;
        const Train train = outgoing.front();
        outgoing.pop_front();
        std::memcpy(out.data(), train.bytes.data(), train.bytes.size());
        return Transmit{destination, socket, train.bytes.size(), train.segment_bytes};
    }
    std::optional<Instant> poll_timeout() const { return timeout; }

    std::vector<std::string> calls;
    std::vector<Delivery> received;
    std::deque<Train> outgoing;
    Address destination;
    SocketIndex socket = 0;
    std::size_t events = 0, timeouts = 0, timeouts_left = 0;
    std::optional<Instant> timeout;
};

/// Stops the loop when `done` returns true, or on timeout.
template <class AnyLoop>
struct Application {
    AnyLoop& loop;
    Recorder& endpoint;
    std::function<bool()> done;
    Instant give_up = now() + patience;
    std::size_t turns = 0;

    void on_event(Instant, const Recorder::Event&) { endpoint.calls.emplace_back("event"); }
    Instant on_turn(Instant at) {
        ++turns;
        endpoint.calls.emplace_back("on_turn");
        if (done() || at > give_up) loop.stop();
        return give_up;
    }
};

template <class Backend>
class LoopTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (auto opened = Backend::open({}); !opened) GTEST_SKIP() << opened.error().text;
    }
    Loop<Backend> open(WaitMode mode) { return Loop<Backend>(Backend::open({}).value(), mode); }
    static SocketIndex add(Loop<Backend>& loop) {
        return loop.backend().add(UdpSocket::open(bound_to(loopback_v4())).value());
    }
};
using Backends = ::testing::Types<UringBackend, MmsgBackend>;
TYPED_TEST_SUITE(LoopTest, Backends, BackendNames);

TYPED_TEST(LoopTest, one_turn_keeps_its_order) {
    auto loop = this->open(WaitMode::spin);
    const SocketIndex socket = this->add(loop);
    Peer peer(loopback_v4());
    Recorder endpoint;
    Application<decltype(loop)> application{loop, endpoint, [] { return false; }};
    for (int i = 0; i < 3; ++i) loop.turn(endpoint, application);
    peer.send("a", loop.backend().socket(socket).local());
    // A turn ends with a wait; the next turn handles what arrived.
    while (endpoint.received.empty() && now() < application.give_up) {
        endpoint.calls.clear();
        endpoint.timeout = 0;
        endpoint.events = 1;
        endpoint.outgoing = {make_train(1, 1, 4, 4)};
        endpoint.destination = peer.local();
        loop.turn(endpoint, application);
    }
    EXPECT_EQ(endpoint.calls, (std::vector<std::string>{"handle a", "poll_event", "event", "poll_event", "timeout",
                                                        "poll_event", "on_turn", "poll_transmit", "poll_transmit"}));
}

TYPED_TEST(LoopTest, endpoints_share_a_loop_through_a_router) {
    auto loop = this->open(WaitMode::block);
    const SocketIndex echo_socket = this->add(loop), first_socket = this->add(loop), second_socket = this->add(loop);
    const Address second_address = loop.backend().socket(second_socket).local();
    gtudp::Options options;
    options.sends_max = options.receives_max = options.peers_max = 16;
    options.start = now();
    options.socket = first_socket;
    gtudp::Endpoint first(options);
    options.socket = second_socket;
    gtudp::Endpoint second(options);
    echo::Endpoint echo;
    Router router(echo, first, second);
    router.template assign<0>(echo_socket);
    router.template assign<1>(first_socket);
    router.template assign<2>(second_socket);
    struct Events {
        Loop<TypeParam>& loop;
        bool message = false, confirmed = false;
        Instant give_up = now() + patience;
        void on_event(Instant, const decltype(router)::Event& event) {
            if (event.index() == 1) confirmed = std::get<1>(event).outcome == gtudp::Outcome::confirmed;
            if (event.index() == 2) message = text_of(std::get<2>(event).bytes) == "message";
        }
        Instant on_turn(Instant at) {
            if ((message && confirmed) || at > give_up) loop.stop();
            return give_up;
        }
    } events{loop};
    Peer peer(loopback_v4());
    peer.send("echo", loop.backend().socket(echo_socket).local());
    ASSERT_TRUE(first.send(now(), second_address, std::as_bytes(std::span(std::string_view("message")))));
    loop.run(router, events);
    EXPECT_TRUE(events.message && events.confirmed);
    const auto reply = peer.receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->bytes, "echo");
}

TYPED_TEST(LoopTest, every_wait_mode_delivers) {
    for (const WaitMode mode : {WaitMode::block, WaitMode::spin, WaitMode::adaptive}) {
        auto loop = this->open(mode);
        const SocketIndex socket = this->add(loop);
        const Address local = loop.backend().socket(socket).local();
        Peer peer(loopback_v4());
        Recorder endpoint;
        for (std::size_t round = 1; round <= 50; ++round) {
            peer.send(numbered(static_cast<std::uint32_t>(round)), local);
            Application<decltype(loop)> application{loop, endpoint, [&] { return endpoint.received.size() == round; }};
            loop.run(endpoint, application);
            ASSERT_EQ(endpoint.received.size(), round);
            EXPECT_EQ(endpoint.received.back().source, peer.local());
        }
    }
}

TYPED_TEST(LoopTest, trains_are_handled_datagram_by_datagram) {
    auto loop = this->open(WaitMode::adaptive);
    const SocketIndex target = this->add(loop), source = this->add(loop);
    Recorder endpoint;
    endpoint.socket = source;
    endpoint.destination = loop.backend().socket(target).local();
    std::vector<std::string> sent;
    for (const std::size_t count : {1, 2, 5, 128}) {
        endpoint.outgoing.push_back(make_train(static_cast<std::uint32_t>(count) * 1'000, count, 50, 7));
        for (const std::string& text : endpoint.outgoing.back().datagrams) sent.push_back(text);
    }
    Application<decltype(loop)> application{loop, endpoint, [&] { return endpoint.received.size() >= sent.size(); }};
    loop.run(endpoint, application);
    ASSERT_EQ(endpoint.received.size(), sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(endpoint.received[i].bytes, sent[i]);
    EXPECT_EQ(endpoint.received[0].socket, target);
    EXPECT_EQ(endpoint.received[0].source, loop.backend().socket(source).local());
}

TYPED_TEST(LoopTest, more_transmits_than_buffers_all_leave) {
    auto loop = this->open(WaitMode::block);
    const SocketIndex target = this->add(loop), source = this->add(loop);
    Recorder endpoint;
    endpoint.socket = source;
    endpoint.destination = loop.backend().socket(target).local();
    for (std::uint32_t i = 0; i < 300; ++i) endpoint.outgoing.push_back(make_train(i, 1, 8, 8));
    Application<decltype(loop)> application{loop, endpoint, [&] { return endpoint.received.size() == 300; }};
    loop.run(endpoint, application);
    ASSERT_EQ(endpoint.received.size(), 300u);
    for (std::uint32_t i = 0; i < 300; ++i) EXPECT_EQ(endpoint.received[i].bytes, numbered(i));
}

TYPED_TEST(LoopTest, timers_fire_when_due_in_every_wait_mode) {
    for (const WaitMode mode : {WaitMode::block, WaitMode::spin, WaitMode::adaptive}) {
        auto loop = this->open(mode);
        this->add(loop);
        Recorder endpoint;
        endpoint.timeouts_left = 4;
        endpoint.timeout = now() + millisecond;
        Application<decltype(loop)> application{loop, endpoint, [&] { return endpoint.timeouts == 5; }};
        loop.run(endpoint, application);
        EXPECT_EQ(endpoint.timeouts, 5u);
    }
}

TYPED_TEST(LoopTest, what_the_last_turn_posts_is_sent) {
    auto loop = this->open(WaitMode::block);
    this->add(loop);
    Peer peer(loopback_v4());
    Recorder endpoint;
    endpoint.destination = peer.local();
    for (std::uint32_t i = 0; i < 3; ++i) {
        endpoint.outgoing.push_back(make_train(i, 1, 8, 8));
        Application<decltype(loop)> application{loop, endpoint, [] { return true; }};
        loop.run(endpoint, application);
        EXPECT_EQ(application.turns, 1u);
        EXPECT_EQ(peer.receive_texts(1), std::vector{numbered(i)});
    }
}

TYPED_TEST(LoopTest, another_thread_stops_it_through_the_waker) {
    for (const WaitMode mode : {WaitMode::block, WaitMode::spin, WaitMode::adaptive}) {
        auto loop = this->open(mode);
        this->add(loop);
        Recorder endpoint;
        std::atomic<bool> stop = false;
        std::thread stopper([&] {
            stop = true;
            loop.backend().waker().wake();
        });
        Application<decltype(loop)> application{loop, endpoint, [&] { return stop.load(); }};
        loop.run(endpoint, application);
        stopper.join();
        EXPECT_LT(now(), application.give_up);
    }
}

TEST(SleepFor, depends_on_mode_last_work_and_deadline) {
    constexpr Instant at = 1'000 * second;
    constexpr Instant idle = at - adaptive_spin, busy = at - adaptive_spin + 1;
    constexpr struct {
        WaitMode mode;
        Instant last_work, deadline;
        Duration sleep;
    } table[] = {
        {WaitMode::spin, idle, never, 0},
        {WaitMode::spin, idle, at + second, 0},
        {WaitMode::block, busy, never, never},
        {WaitMode::block, busy, at + second, second},
        {WaitMode::block, busy, at + 1, 1},
        {WaitMode::block, busy, at, 0},
        {WaitMode::block, busy, at - second, 0},
        {WaitMode::adaptive, busy, never, 0},
        {WaitMode::adaptive, busy, at + second, 0},
        {WaitMode::adaptive, idle, never, never},
        {WaitMode::adaptive, 0, never, never},
        {WaitMode::adaptive, idle, at + second, second - adaptive_spin},
        {WaitMode::adaptive, idle, at + adaptive_spin + 1, 1},
        {WaitMode::adaptive, idle, at + adaptive_spin, 0},
        {WaitMode::adaptive, idle, at + 1, 0},
        {WaitMode::adaptive, idle, at - second, 0},
    };
    for (const auto& row : table)
        EXPECT_EQ(sleep_for(row.mode, at, row.last_work, row.deadline), row.sleep) << &row - table;
}

/// Runs `body` in a child process and returns the status of waitpid().
int in_child(const std::function<int()>& body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
}

bool readable(const Waker& waker) {
    pollfd ready{waker.fd(), POLLIN, 0};
    return poll(&ready, 1, 0) == 1;
}

TEST(Signals, the_first_is_recorded_and_one_after_a_second_ends_the_process) {
    for (const auto& [first, second] : {std::pair(SIGINT, SIGTERM), std::pair(SIGTERM, SIGTERM)}) {
        const int status = in_child([first, second] {
            const Waker waker = Waker::open().value();
            catch_signals();
            const SignalWakes wakes(waker);
            if (received_signal() != 0 || readable(waker)) return 1;
            raise(first);
            if (received_signal() != first || !readable(waker)) return 2;
            waker.clear();
            raise(second);  // a repetition
            if (received_signal() != first || readable(waker)) return 3;
            std::this_thread::sleep_for(std::chrono::milliseconds(1'001));
            raise(second);
            return 4;
        });
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == second) << "exit " << WEXITSTATUS(status);
    }
}

TEST(Signals, are_recorded_without_a_waker) {
    const int status = in_child([] {
        const Waker waker = Waker::open().value();
        catch_signals();
        {
            const SignalWakes wakes(waker);
        }
        raise(SIGTERM);
        return received_signal() == SIGTERM && !readable(waker) ? 0 : 1;
    });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(WithLoop, opens_the_chosen_backend) {
    const auto name = [](auto& loop) { return std::string(loop.backend().name); };
    std::string reported;
    const auto report = [&](const std::string& text) { reported += text; };
    EXPECT_EQ(with_loop({.backend = BackendChoice::mmsg}, report, name).value(), "mmsg");
    EXPECT_EQ(reported, "");
    const auto uring = with_loop({.backend = BackendChoice::uring}, report, name);
    const auto automatic = with_loop({}, report, name);
    EXPECT_EQ(automatic.value(), uring ? "uring" : "mmsg");
    EXPECT_EQ(reported.empty(), uring.has_value()) << "the fallback is reported";
}

}  // namespace
}  // namespace ringpost::test
