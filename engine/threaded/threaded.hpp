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
#include "engine/os/owner.hpp"
#include "engine/threaded/bounded_queue.hpp"
#include "engine/threaded/done.hpp"
#include "engine/threaded/loop_thread.hpp"
#include "engine/threaded/wake_up.hpp"

namespace ringpost {

/// An endpoint and the commands that other threads submit to it. Threaded calls everything except abandon() on the
/// engine's thread. May also have admits() and has_room(), see LoopApplication.
template <class P>
concept ThreadedProtocol =
    DatagramEndpoint<typename P::Endpoint> && std::is_trivially_copyable_v<typename P::Command> &&
    requires(P& protocol, const P& constant, Instant now, const typename P::Command& command,
             const typename P::Endpoint::Event& event) {
        // Valid after open(Backend&) has succeeded.
        { protocol.endpoint() } -> std::same_as<typename P::Endpoint&>;
        { protocol.on_event(now, event) } -> std::same_as<void>;
        { protocol.run(now, command) } -> std::same_as<void>;
        // Once per turn, after its commands and events. Returns the latest time for the next turn, or `never`.
        { protocol.on_turn(now) } -> std::same_as<Instant>;
        // Wakes the consumers of the event queues.
        { protocol.publish() } -> std::same_as<void>;
        { constant.may_sleep() } -> std::same_as<bool>;
        // stop() was called: start ending what is in progress. The loop runs until finished().
        { protocol.close(now) } -> std::same_as<void>;
        { constant.finished() } -> std::same_as<bool>;
        // After the loop's last turn.
        { protocol.end() } -> std::same_as<void>;
        // Any thread, from end() on: the command was submitted too late to run.
        { protocol.abandon(command) } -> std::same_as<void>;
    };

/// An endpoint with an engine on its own thread, used by any number of other threads: a lock-free command queue in, the
/// protocol's event queues out, and one wake-up, which costs a system call only while the engine sleeps.
///
/// Every command either runs or, if the engine stops first, is abandoned exactly once, by abandon_remaining() on any
/// thread. See wake_up.cpp for why none is missed.
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

    /// Call once, first. Starts the thread and waits until it has opened the backend and the protocol, or returns the
    /// error.
    std::optional<Error> start(const EngineOptions& options) {
        return thread_.start([this, options](const std::function<void()>& opened) {
            const auto report = [&](const std::string& text) {
                note = text;
                if (options.log) options.log(LogLevel::warning, text);
            };
            const auto done = with_loop(options, report, [&](auto& loop) { return run_loop(loop, opened); });
            return done ? *done : std::optional(done.error());
        });
    }

    // ---- any thread -----------------------------------------------------------------------------

    /// After fork() the child has no engine: nothing may be called but this and the destructor.
    bool forked() const { return fork_.forked(); }

    /// False if the queue is full.
    bool submit(const Command& command) {
        if (!commands_.try_push({.call = nullptr, .command = command})) return false;
        wake();
        return true;
    }

    /// Runs f(Instant) on the engine's thread and waits for it. False, without calling f, if the engine has ended.
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

    /// The same, but if the engine has ended, runs f on this thread.
    template <class F>
    void call_or_run(F&& f) {
        if (call(f)) return;
        thread_.join();
        f(now());
    }

    /// Call only from within call() or call_or_run().
    EngineCounters engine_counters() const { return engine_counters_(); }

    /// Wakes the engine if it sleeps. Call it after anything that the engine must notice, such as making room in an
    /// event queue that has room_wanted().
    void wake() {
        if (wake_up_.notify() == WakeUp::finished) abandon_remaining();
    }

    bool stopping() const { return stopping_.load(std::memory_order_acquire); }
    /// Closes the protocol and waits for the thread to end. Idempotent.
    void stop() {
        if (forked()) return thread_.forget();
        stopping_.store(true, std::memory_order_release);
        wake_up_.notify();
        thread_.join();
    }

    Protocol protocol;
    const char* backend = "";  ///< `uring` or `mmsg`
    std::string note;          ///< why BackendChoice::automatic did not select io_uring; "" if it did

  private:
    /// A call in progress, on the stack of the waiting thread.
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
            requires requires(Protocol& candidate) { candidate.admits(in); }
        {
            return threaded.protocol.admits(in);
        }
        bool has_room()
            requires requires(Protocol& candidate) { candidate.has_room(); }
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
            return !threaded.finished() && threaded.prepare_sleep();
        }
    };

    template <class AnyLoop>
    std::optional<Error> run_loop(AnyLoop& loop, const std::function<void()>& opened) {
        if (auto failure = wake_up_.attach(loop.backend().waker())) return failure;
        if (auto failure = protocol.open(loop.backend())) return failure;
        backend = loop.backend().name;
        engine_counters_ = [&loop] { return loop.backend().counters(); };
        opened();
        Turns<AnyLoop> turns{*this, loop};
        loop.run(protocol.endpoint(), turns);
        engine_counters_ = [last = loop.backend().counters()] { return last; };
        wake_up_.finish();
        abandon_remaining();
        protocol.end();
        return std::nullopt;
    }

    bool finished() const { return closing_ && protocol.finished(); }

    bool prepare_sleep() {
        return wake_up_.prepare_sleep(
            [this] { return commands_.empty() && (closing_ || !stopping()) && protocol.may_sleep(); });
    }

    /// True if more commands may be queued.
    bool run_commands(Instant at) {
        wake_up_.set_awake();
        for (int i = 0; i < commands_per_turn; ++i) {
            const auto entry = commands_.try_pop();
            if (!entry) return false;
            if (entry->call == nullptr) {
                protocol.run(at, entry->command);
                continue;
            }
            entry->call->run(at);
            entry->call->ran = true;
            entry->call->done.notify();  // the caller may now destroy the Call
        }
        return true;
    }

    /// Ends the queued commands that the engine will not run.
    void abandon_remaining() {
        while (const auto entry = commands_.try_pop()) {
            if (entry->call != nullptr)
                entry->call->done.notify();
            else
                protocol.abandon(entry->command);
        }
    }

    ForkMark fork_;
    BoundedQueue<Entry> commands_;
    WakeUp wake_up_;
    std::atomic<bool> stopping_{false};
    bool closing_ = false;                             ///< protocol.close() was called
    std::function<EngineCounters()> engine_counters_;  ///< for the engine's thread; for any thread once it has ended
    LoopThread thread_;                                ///< last, so that it is joined before the rest is destroyed
};

}  // namespace ringpost
