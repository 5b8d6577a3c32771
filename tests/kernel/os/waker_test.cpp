// Wake-ups, and the signals that end a command.

#include "engine/os/waker.hpp"

#include <poll.h>

#include <atomic>
#include <csignal>
#include <ctime>

#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {
namespace {

bool is_readable(const Waker& waker) {
    pollfd ready{waker.fd(), POLLIN, 0};
    return poll(&ready, 1, 0) == 1;
}

TEST(Waker, is_readable_from_its_first_wake_until_it_is_cleared) {
    Waker first = Waker::open().value();
    const Waker waker = std::move(first);
    EXPECT_FALSE(is_readable(waker));
    waker.wake();
    waker.wake();
    EXPECT_TRUE(is_readable(waker));
    waker.clear();
    EXPECT_FALSE(is_readable(waker));
    waker.clear();
}

struct Target {
    void wake() const { ++woken; }
    mutable std::atomic<int> woken{0};
};

struct SignalWaker : testing::Test {
    ~SignalWaker() override {
        std::signal(SIGTERM, SIG_DFL);
        std::signal(SIGINT, SIG_DFL);
        std::signal(SIGHUP, SIG_DFL);
    }
};

TEST_F(SignalWaker, the_first_is_recorded_and_wakes_the_target) {
    const Target target;
    catch_signals();
    EXPECT_EQ(received_signal(), 0);
    {
        const SignalWakes wakes(target);
        std::raise(SIGTERM);
        EXPECT_EQ(received_signal(), SIGTERM);
        record_signal(SIGINT);
        EXPECT_EQ(received_signal(), SIGTERM);
    }
    EXPECT_EQ(target.woken, 1);
    catch_signals();
    EXPECT_EQ(received_signal(), 0) << "it starts again";
    std::raise(SIGINT);
    EXPECT_EQ(received_signal(), SIGINT);
    EXPECT_EQ(target.woken, 1) << "the target has gone";
}

TEST_F(SignalWaker, a_hangup_ends_like_sigterm_unless_it_is_ignored) {
    catch_signals();
    std::raise(SIGHUP);
    EXPECT_EQ(received_signal(), SIGTERM);
    std::signal(SIGHUP, SIG_IGN);
    catch_signals();
    std::raise(SIGHUP);
    EXPECT_EQ(received_signal(), 0);
}

TEST_F(SignalWaker, hangups_can_be_kept) {
    const Target target;
    const SignalWakes wakes(target);
    catch_signals();
    keep_hangups();
    EXPECT_FALSE(take_hangup());
    std::raise(SIGHUP);
    std::raise(SIGHUP);
    EXPECT_EQ(target.woken, 2);
    EXPECT_TRUE(take_hangup());
    EXPECT_FALSE(take_hangup());
    EXPECT_EQ(received_signal(), 0);
}

TEST_F(SignalWaker, one_a_second_later_ends_the_process) {
    const auto signalled_twice = [] {
        catch_signals();
        std::raise(SIGTERM);
        for (timespec left{1, 0}; nanosleep(&left, &left) != 0;) continue;
        std::raise(SIGTERM);
    };
    EXPECT_EXIT(signalled_twice(), testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace ringpost::test
