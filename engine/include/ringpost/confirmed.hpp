#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/options.hpp>
#include "codec/confirmed/endpoint.hpp"
#include "engine/os/clock.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost {

template <class Endpoint>
class PolledEndpoint;  // polled_endpoint.hpp

}  // namespace ringpost

namespace ringpost::confirmed {

/// Options as they stand in codec/confirmed/options.hpp, with the key drawn from the kernel.
Options fresh_options();

/// How a Messenger is opened.
struct OpenOptions {
    Address bind = any_address(default_port);  ///< port 0: the kernel chooses, local() tells
    BackendChoice backend = BackendChoice::automatic;
    WaitMode wait = WaitMode::adaptive;
    Options protocol = fresh_options();  ///< `start` is set on opening
};

/// What a peer has answered to a message that left, or that nothing has come of it.
struct Answer {
    Outcome outcome = Outcome::confirmed;
    Value message;  ///< of the confirmation, or of the failure report
};

struct Message {
    Value message;
    Status status = Status::none;  ///< none, or failed: a failure report for which nothing waited
    Address source;
};

/// Confirmed messages for a program with a loop of its own: an Endpoint (codec/confirmed/endpoint.hpp says what it
/// promises) on a socket and a backend.
///
/// It belongs to the thread that opened it. Nothing is sent, received or confirmed but in poll(), send_and_wait() and
/// query(): one of them is to be called often while anything is in flight or may come.
class Messenger {
  public:
    /// The error names what failed: `bind 0.0.0.0:5005: Address already in use`.
    static Result<Messenger> open(const OpenOptions& options = {});
    Messenger(Messenger&&) noexcept;
    Messenger& operator=(Messenger&&) noexcept;
    /// What is in flight ends here, without an outcome.
    ~Messenger();

    /// Takes a copy of the message, which leaves with the next poll(). Its outcome is an event with the same number.
    std::expected<SendNumber, Refused> send(const Value& message, const SendOptions& how = {});
    std::expected<SendNumber, Refused> send(std::string_view text, const SendOptions& how = {});

    /// Sends a message and waits for its outcome, at most `timeout`; `to` is the target when left out. What comes
    /// meanwhile is kept for query() and poll().
    std::expected<Answer, Refused> send_and_wait(const Value& message, Duration timeout = default_timeout,
                                                 const Address& to = {});
    std::expected<Answer, Refused> send_and_wait(std::string_view text, Duration timeout = default_timeout,
                                                 const Address& to = {});
    /// The next message; waits for one at most `timeout`. Outcomes are kept for poll().
    std::optional<Message> query(Duration timeout = never);

    /// An event is valid during the call, which may call everything here but poll(), send_and_wait() and query(). It
    /// must not throw.
    using Handler = std::function<void(const Event&)>;
    /// Sends, receives and keeps the timers until `handler` has been given something, or `timeout` is over: 0 never
    /// sleeps, `never` waits as long as it takes. False when there was nothing.
    bool poll(Duration timeout, const Handler& handler);
    /// Ends a poll() early, or else the next one. Any thread, and from a signal handler.
    void wake() const;

    /// Family::none while there is none: neither in the options, nor learnt from `initialize`.
    const Address& target() const;
    /// Sends that have no outcome yet.
    std::uint32_t in_flight() const;
    const Counters& counters() const;
    /// What the socket and the backend have done.
    EngineCounters engine_counters() const;

    const Address& local() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic has not taken io_uring; "" when it has.
    const std::string& note() const;

  private:
    explicit Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled);
    std::expected<Answer, Refused> outcome_of(const std::expected<SendNumber, Refused>& sent);

    std::unique_ptr<PolledEndpoint<Endpoint>> polled_;
};

}  // namespace ringpost::confirmed
