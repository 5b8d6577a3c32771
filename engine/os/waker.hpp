#pragma once

#include <ringpost/error.hpp>

namespace ringpost {

/// Wakes a sleeping loop from another thread or a signal handler (eventfd(2)).
class Waker {
  public:
    static Result<Waker> open();
    Waker(Waker&& other) noexcept;
    Waker& operator=(Waker&&) = delete;
    ~Waker();

    /// Readable while the loop should wake up.
    int fd() const { return fd_; }
    /// Thread-safe and async-signal-safe.
    void wake() const;
    /// Makes fd() unreadable again.
    void clear() const;

  private:
    explicit Waker(int fd) : fd_(fd) {}
    int fd_;
};

/// Installs handlers: the first SIGINT or SIGTERM is only recorded, so that the program can print its report. Further
/// ones within a second are ignored; a later one ends the process. SIGHUP counts as SIGTERM unless it is ignored.
void catch_signals();

/// After catch_signals(): SIGHUP no longer ends the program, but is recorded for take_hangup() and wakes the target.
void keep_hangups();

/// Whether SIGHUP has come since the last call. Thread-safe.
bool take_hangup();

/// Records a signal as if it had arrived, unless one has. Thread-safe and async-signal-safe.
void record_signal(int signal);

/// The recorded signal, or 0.
int received_signal();

/// During its lifetime a signal also calls target.wake(), which must be async-signal-safe, as those of Waker and the
/// messengers are. At most one instance per process.
class SignalWakes {
  public:
    template <class Target>
    explicit SignalWakes(const Target& target)
        : SignalWakes(&target, [](const void* at) { static_cast<const Target*>(at)->wake(); }) {}
    ~SignalWakes();
    SignalWakes(const SignalWakes&) = delete;
    SignalWakes& operator=(const SignalWakes&) = delete;

  private:
    using Wake = void (*)(const void* target);
    SignalWakes(const void* target, Wake wake);
};

}  // namespace ringpost
