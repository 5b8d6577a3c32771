#pragma once

// Confirmed messages: one JSON object a datagram, answered by a confirmation. Every accepted send ends with exactly one
// outcome. Neutral messages to one peer are sent in order, each after the outcome of the previous one. The format has
// no message identities: a lost message is not sent again, and a datagram that the network duplicates is delivered
// twice (codec/confirmed/README.md).

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <ringpost/address.hpp>
#include <ringpost/clock.hpp>
#include <ringpost/confirmed/types.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/export.hpp>
#include <ringpost/network.hpp>
#include <ringpost/options.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

template <class Endpoint>
class PolledEndpoint;

}  // namespace ringpost

namespace ringpost::confirmed {

class Endpoint;

struct OpenOptions {
    Address bind = any_address(default_port);  ///< port 0: chosen by the kernel, see local()
    EngineOptions engine{};
    /// Count peers that the kernel reports as unreachable, see EngineCounters::unreachable.
    bool reports_errors = false;
    ProtocolOptions protocol{};
};

/// The result of send_and_wait().
struct Answer {
    Outcome outcome = Outcome::confirmed;
    Value message;  ///< from the confirmation or the failure report
    int error = 0;  ///< see Event::error
};

struct Message {
    Value message;
    Status status = Status::none;  ///< none, or failed: a failure report that matched no pending send
    Address source;
};

/// For a program with its own event loop.
///
/// Not thread-safe: use it only on the thread that opened it. All work is done in poll(), send_and_wait() and query();
/// call one of them frequently while sends are in flight or messages are expected.
class RINGPOST_API Messenger {
  public:
    /// The error names what failed: `bind 0.0.0.0:5005: Address already in use`.
    static Result<Messenger> open(const OpenOptions& options = {});
    Messenger(Messenger&&) noexcept;
    Messenger& operator=(Messenger&&) noexcept;
    /// Drops sends in flight; they get no outcome.
    ~Messenger();

    /// Copies the message and sends it in the next poll(). The outcome is an event with the returned number.
    std::expected<SendNumber, Refused> send(const Value& message, const SendOptions& how = {});
    std::expected<SendNumber, Refused> send(std::string_view text, const SendOptions& how = {});

    /// Sends a message and waits up to `timeout` for its outcome. The default for `to` is target(). Messages that
    /// arrive meanwhile are kept for query() and poll().
    std::expected<Answer, Refused> send_and_wait(const Value& message, Duration timeout = default_timeout,
                                                 const Address& to = {});
    std::expected<Answer, Refused> send_and_wait(std::string_view text, Duration timeout = default_timeout,
                                                 const Address& to = {});
    /// Returns the next message, waiting up to `timeout` for it; nullopt on timeout. Outcomes are kept for poll().
    std::optional<Message> query(Duration timeout = never);

    /// The event is valid during the call only. The handler may call any member except poll(), send_and_wait() and
    /// query(), and must not throw.
    using Handler = std::function<void(const Event&)>;
    /// Sends, receives and runs timers until at least one event was passed to `handler` or `timeout` has elapsed. 0
    /// never sleeps; `never` has no limit. Returns whether there was an event.
    bool poll(Duration timeout, const Handler& handler);
    /// Ends a poll() early, or else the next one. Any thread, and from a signal handler.
    void wake() const;

    /// For a program with an event loop of another library: wait until fd() is readable or next_deadline() is reached,
    /// then call poll(0, ...), which never blocks. The descriptor belongs to this object; do not read from it or close
    /// it. From the first call of fd() on, the socket is not polled directly, which costs some latency.
    int fd();
    /// When poll() is due although fd() is not readable: an instant in the past if it is due now, as after a send;
    /// `never` if it is not.
    Instant next_deadline() const;

    /// Whether this object may be used: it was not moved from, and this is the thread and the process that opened it.
    /// Otherwise every member but this one and wake(), and those that any thread may call, ends the process with a line
    /// that gives the reason. After fork() the child may only destroy it, which leaves its descriptors open until the
    /// child ends or calls exec.
    bool usable() const;

    /// From the options or from a received `initialize`; Family::none before either.
    const Address& target() const;
    /// Number of sends without an outcome.
    std::uint32_t in_flight() const;
    Counters counters() const;
    /// Counters of the socket and the backend.
    EngineCounters engine_counters() const;

    // Any thread.
    const Address& local() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic did not select io_uring; "" if it did.
    const std::string& note() const;

    /// The most memory that this object can hold: a bound that depends on its options only. Texts are allocated as they
    /// come, so it usually holds little of this; most would be sends_max outcomes that were not polled, each with an
    /// answer as large as a datagram.
    std::size_t memory_bytes() const;

  private:
    explicit Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled);
    std::optional<Refused> refuse(const SendOptions& how);
    std::expected<Answer, Refused> outcome_of(const std::expected<SendNumber, Refused>& sent);

    std::unique_ptr<PolledEndpoint<Endpoint>> polled_;
};

}  // namespace ringpost::confirmed
