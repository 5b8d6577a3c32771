#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/options.hpp>
#include "codec/devices/options.hpp"

namespace ringpost::devices {

/// Options as they stand in codec/devices/options.hpp, with what is to be random drawn from the kernel.
Options fresh_options(std::string name);

/// How a Node is opened.
struct NodeOptions {
    Options protocol;  ///< of fresh_options(); `start` is set on opening
    // The initializers spare those who leave them out a warning. NOLINTBEGIN(readability-redundant-member-init)
    std::vector<std::string> interfaces{};  ///< only these, loopback among them if named; none: all but loopback
    std::vector<std::string> ignored_interfaces{};
    // NOLINTEND(readability-redundant-member-init)
    /// Off: nobody can connect to us, so only those are reached whose names sort after ours, for to them we connect.
    bool listen = true;
    EngineOptions engine{.wait = WaitMode::block};
    std::uint32_t notices_max = 4'096;  ///< that wait for receive(); a power of two, as is the next
    std::uint32_t questions_max = 256;  ///< that wait for next_question()
};

/// An Event (codec/devices/options.hpp) that is its owner's to keep. An ask's end is told to who asked, not here.
struct Notice {
    Event::Kind kind = Event::Kind::message;
    Cause cause = Cause::closed;
    std::string name;
    std::string text;
    QuestionId question;
    Address address;
    std::size_t unsent = 0;
};

/// What a Node has done that its endpoint and its engine do not count.
struct NodeCounters {
    Counters protocol;
    EngineCounters engine;
    std::uint64_t questions_dropped = 0;  ///< questions_max waited: their askers are not answered
    std::uint64_t links_failed = 0;       ///< a socket for a link could not be opened, and will be tried again
    std::string link_error;               ///< why, the last time
};

/// A device with a name, on a thread of its own: it is found, and finds the others, on every link of the host, while
/// links come and go. Any number of threads use it at once.
///
/// Every call but receive(), next_question() and ask(), which wait as long as they are told, takes as long as the
/// node's thread needs to look: microseconds. Nothing of the application's runs on that thread. What arrives waits in
/// bounded queues; when that of receive() is full the node stops taking from its peers, whom TCP then holds back, and
/// ask() is not answered before its timeout either.
class Node {
  public:
    /// The error names what failed: `bind 0.0.0.0:4112: Address already in use`; a bad name or interface too.
    static Result<Node> open(const NodeOptions& options);
    Node(Node&&) noexcept;
    Node& operator=(Node&&) noexcept;
    /// stop(). No other call may still be under way: stop() and let their threads return first.
    ~Node();

    /// To one peer. `queued` says that it leaves, not that it arrives.
    Sent send(std::string_view name, std::string_view text);
    /// To everybody in the directory: each name, and what became of it.
    std::vector<std::pair<std::string, Sent>> send_all(std::string_view text);

    /// Asks each of `names`, or everybody, and waits until all have answered or `timeout` is over. The answers are in
    /// the order of `names`; nothing when the question cannot be carried or too many are under way.
    std::expected<std::vector<Answer>, AskRefusal> ask(std::span<const std::string> names, std::string_view text,
                                                       Duration timeout = 2 * second);
    std::expected<std::vector<Answer>, AskRefusal> ask_all(std::string_view text, Duration timeout = 2 * second);

    /// Everybody in the directory, by name.
    std::vector<Peer> peers();

    /// The next message or change; nothing when none has come for `timeout`, or is left since the node has stopped.
    std::optional<Notice> receive(Duration timeout);
    /// The next question, for answer(), once, from any thread. In a queue of their own, so that what takes long to
    /// answer does not keep messages waiting.
    std::optional<Notice> next_question(Duration timeout);
    Sent answer(QuestionId question, std::string_view text);

    /// Says goodbye to every peer, for two seconds at most, and ends the thread. Calls that wait return; what has
    /// arrived can still be taken. May be called again.
    void stop();

    NodeCounters counters();

    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic has not taken io_uring; "" when it has.
    const std::string& note() const;

  private:
    class Thread;
    explicit Node(std::unique_ptr<Thread> thread);

    std::unique_ptr<Thread> thread_;
};

}  // namespace ringpost::devices
