#pragma once

// Named devices: they find each other by multicast, and exchange ordered messages, questions and answers by name.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/devices/types.hpp>
#include <ringpost/error.hpp>
#include <ringpost/export.hpp>
#include <ringpost/options.hpp>
#include <ringpost/time.hpp>

namespace ringpost::devices {

struct NodeOptions {
    ProtocolOptions protocol{};             ///< its `name` is required
    std::vector<std::string> interfaces{};  ///< use only these; empty: all except loopback
    std::vector<std::string> ignored_interfaces{};
    /// Accept TCP connections. If false, only peers whose names sort after ours are reachable, because we connect to
    /// those.
    bool listen = true;
    EngineOptions engine{.wait = WaitMode::block};
    std::uint32_t notices_max = 4'096;  ///< queue capacity of receive(); a power of two
    std::uint32_t questions_max = 256;  ///< queue capacity of next_question(); a power of two
    /// Questions that next_question() has returned and that are neither answered nor dropped; one host has at most
    /// half.
    std::uint32_t questions_at_once = 256;
};

/// An owning copy of an Event. The result of an ask is returned by ask(), not here.
struct Notice {
    Event::Kind kind = Event::Kind::message;
    Cause cause = Cause::closed;
    std::string name;
    std::string text;
    QuestionId question;
    Address address;
    std::size_t unsent = 0;
};

struct NodeCounters {
    Counters protocol;
    EngineCounters engine;
    std::uint64_t questions_dropped = 0;  ///< the queue had no place for their host; they are not answered
    std::uint64_t links = 0;              ///< sockets open now: one for each link and address family
    std::uint64_t links_failed = 0;       ///< failures to open a link's socket; each is retried
    std::string link_error;               ///< of the latest such failure
};

/// A named device with its own thread. It discovers other devices and is discovered on every link of the host, and
/// follows links that appear and disappear. Thread-safe.
///
/// receive(), next_question() and ask() block up to their timeout. All other calls take one round trip to the node's
/// thread: microseconds. Application code never runs on that thread. Arrivals wait in bounded queues. While the queue
/// of receive() is full, the node stops reading from its peers, so TCP flow control slows them down, and a pending
/// ask() gets no answers before its timeout.
class RINGPOST_API Node {
  public:
    /// The error names what failed: `bind 0.0.0.0:4112: Address already in use`, an invalid name or interface.
    static Result<Node> open(const NodeOptions& options);
    Node(Node&&) noexcept;
    Node& operator=(Node&&) noexcept;
    /// Calls stop(). No other call may be in progress: call stop() first and let other threads return.
    ~Node();

    /// Sends to one peer. `queued` means that the message will be sent, not that it was delivered.
    Sent send(std::string_view name, std::string_view text);
    /// Sends to every peer in the directory; returns the result for each name.
    std::vector<std::pair<std::string, Sent>> send_all(std::string_view text);

    /// Asks each of `names`, or every peer, and waits until all have answered or `timeout` has elapsed. Answers are in
    /// the order of `names`. Fails if the question is invalid or too many asks are pending.
    std::expected<std::vector<Answer>, AskRefusal> ask(std::span<const std::string> names, std::string_view text,
                                                       Duration timeout = 2 * second);
    std::expected<std::vector<Answer>, AskRefusal> ask_all(std::string_view text, Duration timeout = 2 * second);

    /// The directory, sorted by name.
    std::vector<Peer> peers();

    /// Returns the next message or change; nullopt on timeout, or when the node has stopped and the queue is empty.
    std::optional<Notice> receive(Duration timeout);
    /// Returns the next question; answer or drop it once, from any thread. Questions have their own queue, so that slow
    /// answers do not delay messages. Hosts take turns and share the places: a question holds one until it is answered
    /// or dropped, its asker is gone, or a minute has passed.
    std::optional<Notice> next_question(Duration timeout);
    Sent answer(QuestionId question, std::string_view text);
    /// The question will not be answered.
    void drop(QuestionId question);

    /// For a program with an event loop of its own: readable while receive(0) or next_question(0) may return something.
    /// When it is, call both until each returns nullopt. The descriptor belongs to this object; do not read from it or
    /// close it. -1: the process has no descriptor left.
    int fd();

    /// Whether this object may be used: it was not moved from, and this is the process that opened it. Otherwise every
    /// member but this one ends the process with a line that gives the reason. After fork() the child may only destroy
    /// it.
    bool usable() const;

    /// Sends a goodbye to every peer, for at most two seconds, and ends the thread. Blocked calls return; queued
    /// arrivals can still be taken. Idempotent.
    void stop();

    NodeCounters counters();

    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic did not select io_uring; "" if it did.
    const std::string& note() const;

    /// The most memory that this object can hold with so many connections at once (at most
    /// ProtocolOptions::streams_max), besides the stack of its thread: a bound that depends on its options only. It is
    /// allocated when it is needed, and freed ten seconds after a connection was last used: a connection takes most of
    /// its part only while its peer is slow.
    std::size_t memory_bytes(std::uint32_t connections) const;

  private:
    class Thread;
    explicit Node(std::unique_ptr<Thread> thread);
    Thread& used() const;

    std::unique_ptr<Thread> thread_;
};

}  // namespace ringpost::devices
