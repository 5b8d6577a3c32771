#pragma once

// TCP for the fake kernel: StreamSocket and StreamListener refer to streams in memory (fake_streams.cpp), and a script
// determines the result of each request.

#include <liburing.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>

#include <ringpost/address.hpp>

namespace ringpost::test {

/// A connection. Requests share ownership, as in the kernel.
struct FakeStream {
    Address peer;
    std::string incoming;      ///< arrived and not yet received
    std::string taken;         ///< sent by the engine
    bool ended = false;        ///< nothing follows `incoming`: end of the stream, or `broken`
    int broken = 0;            ///< an errno: sends fail too
    bool established = false;  ///< accepted or connected
    bool refused = false;      ///< a send has failed permanently
    unsigned descriptors = 0;  ///< open descriptors
};

enum class FakeShot : std::uint8_t {
    deliver,
    deliver_and_end,  ///< completes with bytes and without F_MORE
    fail,             ///< ends with `StreamScript::shot_errno`; the bytes stay
};

/// Whether the engine sleeps in this enter.
enum class Caller : std::uint8_t { awake, asleep };

/// The results of requests. By default nothing fails.
struct StreamScript {
    bool multishot = true;  ///< false: not supported (EINVAL)
    std::function<int()> open = [] { return 0; };
    std::function<int()> accept = [] { return 0; };
    /// Whether an accepted connection has ended before getpeername().
    std::function<bool()> gone = [] { return false; };
    /// 0 or an errno; EAGAIN: still pending.
    std::function<int()> connect = [] { return 0; };
    /// The number of bytes taken, or a negative errno. On -EAGAIN a request keeps waiting.
    std::function<int(std::size_t)> send = [](std::size_t bytes) { return static_cast<int>(bytes); };
    std::function<FakeShot()> shot = [] { return FakeShot::deliver; };
    int shot_errno = EINTR;
    /// Maximum number of bytes per delivery.
    std::function<std::size_t()> cut = [] { return SIZE_MAX; };
    /// Number of enters by which the end of a cancelled receive is delayed.
    std::function<unsigned()> lateness = [] { return 0u; };
};

class FakeStreams {
  public:
    using Complete = std::function<void(std::uint64_t user_data, std::int64_t result, std::uint32_t flags)>;
    /// A buffer of the group, or null.
    using TakeBuffer = std::function<const io_uring_buf*(std::uint16_t group)>;

    FakeStreams(Complete complete, TakeBuffer take_buffer)
        : complete_(std::move(complete)), take_buffer_(std::move(take_buffer)) {}

    StreamScript script;
    std::deque<std::shared_ptr<FakeStream>> backlog;             ///< connected to the listener, not yet accepted
    std::map<std::string, std::shared_ptr<FakeStream>> by_peer;  ///< all streams, past and present

    // For StreamSocket and StreamListener.
    int open();
    int listen() { return next_descriptor_++; }
    void close(int descriptor);
    Address peer(int descriptor) const;
    int send(int descriptor, std::span<const std::byte> bytes);
    std::size_t descriptors() const { return streams_.size(); }
    std::uint32_t highest_slot = 0;  ///< of all requests

    // For the ring.
    bool has(int descriptor) const { return streams_.contains(descriptor); }
    void issue(const io_uring_sqe& sqe, unsigned enters);
    /// False if no request has this user_data.
    bool cancel(std::uint64_t user_data, unsigned enters);
    void run(Caller caller, unsigned enters);
    bool idle() const;
    std::size_t pending() const { return requests_.size(); }

  private:
    struct Request {
        std::shared_ptr<FakeStream> stream{};  // none: an accept
        bool cancelled = false;
        unsigned ends_at = 0;
        bool over = false;
        std::shared_ptr<const io_uring_sqe> sqe{};
    };

    int take(FakeStream& stream, const char* bytes, std::size_t size);
    void end(Request& request, std::int64_t result, std::uint32_t flags = 0);
    void run(Request& request, Caller caller, unsigned enters);
    void run_accept(Request& request);
    void run_connect(Request& request);
    void run_send(Request& request);
    void run_receive(Request& request);
    bool due(const Request& request) const;

    Complete complete_;
    TakeBuffer take_buffer_;
    std::map<int, std::shared_ptr<FakeStream>> streams_;
    std::list<Request> requests_;
    int next_descriptor_ = 100'000;  // distinct from real descriptors
};

}  // namespace ringpost::test
