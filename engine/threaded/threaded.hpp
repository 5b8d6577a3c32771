#pragma once

#include <sched.h>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/options.hpp>
#include <string>
#include <utility>

#include "engine/loop/open.hpp"
#include "engine/threaded/bounded_queue.hpp"
#include "engine/threaded/done.hpp"
#include "engine/threaded/loop_thread.hpp"
#include "engine/threaded/wake_up.hpp"

namespace ringpost {

/// What Threaded drives: one endpoint, and what other threads may ask of it. All calls but abandon() are made by the
/// engine's thread. It may also have admits() and has_room(), as of LoopApplication.
template <class P>
concept ThreadedProtocol =
    DatagramEndpoint<typename P::Endpoint> && std::is_trivially_copyable_v<typename P::Command> &&
    requires(P& protocol, const P& constant, Instant now, const typename P::Command& command,
             const typename P::Endpoint::Event& event) {
        // Valid once open(Backend&) has returned without an error.
        { protocol.endpoint() } -> std::same_as<typename P::Endpoint&>;
        { protocol.on_event(now, event) } -> std::same_as<void>;
        { protocol.run(now, command) } -> std::same_as<void>;
        // Once a turn, after its commands and events; returns when the next turn is wanted, or `never`.
        { protocol.on_turn(now) } -> std::same_as<Instant>;
        // Wakes the consumers of the event queues.
        { protocol.publish() } -> std::same_as<void>;
        { constant.may_sleep() } -> std::same_as<bool>;
        // stop() was called: end what is under way. The loop ends once finished().
        { protocol.close(now) } -> std::same_as<void>;
        { constant.finished() } -> std::same_as<bool>;
        // After the loop's last turn: nothing follows.
        { protocol.end() } -> std::same_as<void>;
        // Any thread, after end(): the command was submitted too late to be run.
        { protocol.abandon(command) } -> std::same_as<void>;
    };

/// An endpoint on an engine of its own thread, used by any number of other threads: a lock-free queue of commands in,
/// the protocol's event queues out, and one wake-up, which costs a system call only while the engine sleeps.
///
/// Every command ends: those that the engine does not get to run, because it has been stopped, are abandoned, each
/// once, by end_leftovers() on whichever thread finds them. See wake_up.hpp for why none is left behind.
template <ThreadedProtocol Protocol>
class Threaded {
  public:
    using Command = typename Protocol::Command;

    template <class... Args>
    explicit Threaded(std::uint32_t commands_max, Args&&... args)
        : protocol(std::forward<Args>(args)...), commands_(commands_max) {}
    ~Threaded() { stop(); }
    Threaded(const Threaded&) = delete;
    Threaded& operator=(const Threaded&) = delete;

    /// Once, before all else. Starts the thread, which opens a backend and then the protocol; returns when both are
    /// open, or why they are not.
    std::optional<Error> start(const EngineOptions& options) {
        return thread_.start([this, options](const std::function<void()>& opened) {
            const auto done = with_loop(
                options, [this](const std::string& text) { note = text; },
                [&](auto& loop) { return serve(loop, opened); });
            return done ? *done : std::optional(done.error());
        });
    }

    // ---- any thread -----------------------------------------------------------------------------

    /// False, and the command is not taken, when the queue is full.
    bool submit(const Command& command) {
        if (!commands_.try_push({.call = nullptr, .command = command})) return false;
        wake();
        return true;
    }

    /// f(Instant) on the engine's thread, while this one waits. False, and f was not called, when the engine has ended.
    template <class F>
    bool call(F&& f) {
        struct Now final : Call {
            explicit Now(F& given) : function(given) {}
            void run(Instant at) override { function(at); }
            F& function;
        } call(f);
        while (!commands_.try_push({.call = &call, .command = {}})) sched_yield();
        wake();
        call.done.wait(never);
        return call.ran;
    }

    /// The same, on this thread once the engine has ended.
    template <class F>
    void call_or_run(F&& f) {
        if (call(f)) return;
        thread_.join();
        f(now());
    }

    /// The engine's counters. Only within call() and call_or_run().
    EngineCounters engine_counters() const { return engine_counters_(); }

    /// After an event queue's consumer has made room that was wanted, or anything else the engine should look at.
    void wake() {
        if (wake_up_.nudge() == WakeUp::finished) end_leftovers();
    }

    bool stopping() const { return stopping_.load(std::memory_order_acquire); }
    /// Closes the protocol, and returns once the thread has ended. May be called again.
    void stop() {
        stopping_.store(true, std::memory_order_release);
        wake_up_.nudge();
        thread_.join();
    }

    Protocol protocol;
    const char* backend = "";  ///< `uring` or `mmsg`
    std::string note;          ///< why BackendChoice::automatic has not taken io_uring; "" when it has

  private:
    /// On the stack of the thread that waits for it.
    struct Call {
        virtual void run(Instant at) = 0;
        bool ran = false;
        Done done;

      protected:
        ~Call() = default;
    };
    struct Entry {
        Call* call;
        Command command;
    };
    static constexpr int commands_per_turn = 1'024;

    /// The loop's application.
    template <class AnyLoop>
    struct Turns {
        Threaded& threaded;
        AnyLoop& loop;

        bool admits(const Datagram& in)
            requires requires(Protocol& protocol) { protocol.admits(in); }
        {
            return threaded.protocol.admits(in);
        }
        bool has_room()
            requires requires(Protocol& protocol) { protocol.has_room(); }
        {
            return threaded.protocol.has_room();
        }
        void on_event(Instant at, const typename Protocol::Endpoint::Event& event) {
            threaded.protocol.on_event(at, event);
        }
        Instant on_turn(Instant at) {
            const bool more = threaded.run_commands(at);
            if (threaded.stopping() && !std::exchange(threaded.closing_, true)) threaded.protocol.close(at);
            loop.dispatch(at, threaded.protocol.endpoint(), *this);  // events of the commands
            const Instant wanted = threaded.protocol.on_turn(at);
            threaded.protocol.publish();
            if (threaded.finished()) loop.stop();
            return more ? at : wanted;
        }
        bool on_sleep() {
            threaded.protocol.publish();  // events since on_turn()
            return !threaded.finished() && threaded.fall_asleep();
        }
    };

    template <class AnyLoop>
    std::optional<Error> serve(AnyLoop& loop, const std::function<void()>& opened) {
        if (auto failure = wake_up_.by(loop.backend().waker())) return failure;
        if (auto failure = protocol.open(loop.backend())) return failure;
        backend = loop.backend().name;
        engine_counters_ = [&loop] { return loop.backend().counters(); };
        opened();
        Turns<AnyLoop> turns{*this, loop};
        loop.run(protocol.endpoint(), turns);
        engine_counters_ = [last = loop.backend().counters()] { return last; };
        wake_up_.finish();
        end_leftovers();
        protocol.end();
        return std::nullopt;
    }

    bool finished() const { return closing_ && protocol.finished(); }

    bool fall_asleep() {
        return wake_up_.fall_asleep(
            [this] { return commands_.empty() && (closing_ || !stopping()) && protocol.may_sleep(); });
    }

    /// True when there may be more.
    bool run_commands(Instant at) {
        wake_up_.wake_up();
        for (int i = 0; i < commands_per_turn; ++i) {
            const auto entry = commands_.try_pop();
            if (!entry) return false;
            if (entry->call == nullptr) {
                protocol.run(at, entry->command);
                continue;
            }
            entry->call->run(at);
            entry->call->ran = true;
            entry->call->done.notify();  // from here on it may be gone
        }
        return true;
    }

    void end_leftovers() {
        while (const auto entry = commands_.try_pop()) {
            if (entry->call != nullptr)
                entry->call->done.notify();
            else
                protocol.abandon(entry->command);
        }
    }

    BoundedQueue<Entry> commands_;
    WakeUp wake_up_;
    std::atomic<bool> stopping_{false};
    bool closing_ = false;                             ///< the protocol has been closed
    std::function<EngineCounters()> engine_counters_;  ///< the engine's thread; once that has ended, any
    LoopThread thread_;                                ///< last: ended before what it uses
};

}  // namespace ringpost
