#pragma once

// TCP behind the fake ring: StreamSocket and StreamListener are names for streams in memory (fake_streams.cpp),
// requests are interpreted against them, and a script decides how each one ends.

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

/// One connection as the network sees it. Requests hold it as the kernel holds a file.
struct FakeStream {
    Address peer;
    std::string incoming;      ///< what has come and was not received
    std::string taken;         ///< what the network has taken of us
    bool ended = false;        ///< nothing follows `incoming`: the peer's last byte, or `broken`
    int broken = 0;            ///< an errno: nothing is taken any more either
    bool stands = false;       ///< accepted or connected
    bool refused = false;      ///< a send has failed for good
    unsigned descriptors = 0;  ///< ours, open
};

enum class FakeShot : std::uint8_t {
    deliver,
    deliver_and_end,  ///< a completion with bytes and without F_MORE
    fail,             ///< ends with `StreamScript::shot_errno`, the bytes stay
};

/// How requests end. The defaults are a kernel in which nothing ever goes wrong.
struct StreamScript {
    bool multishot = true;  ///< else the kernel does not know it: EINVAL
    std::function<int()> open = [] { return 0; };
    std::function<int()> accept = [] { return 0; };
    /// An accepted connection is gone before anyone asks who it is.
    std::function<bool()> gone = [] { return false; };
    /// 0, an errno, or EAGAIN: not yet.
    std::function<int()> connect = [] { return 0; };
    /// How many of so many bytes are taken, or a negative errno; -EAGAIN: none now, a request goes on waiting.
    std::function<int(std::size_t)> send = [](std::size_t bytes) { return static_cast<int>(bytes); };
    std::function<FakeShot()> shot = [] { return FakeShot::deliver; };
    int shot_errno = EINTR;
    /// The most of one delivery.
    std::function<std::size_t()> cut = [] { return SIZE_MAX; };
    /// How many enters the end of a cancelled receive comes late.
    std::function<unsigned()> lateness = [] { return 0u; };
};

class FakeStreams {
  public:
    using Complete = std::function<void(std::uint64_t user_data, std::int64_t result, std::uint32_t flags)>;
    /// A buffer of a group: its id, or none.
    using TakeBuffer = std::function<const io_uring_buf*(std::uint16_t group)>;

    FakeStreams(Complete complete, TakeBuffer take_buffer)
        : complete_(std::move(complete)), take_buffer_(std::move(take_buffer)) {}

    StreamScript script;
    std::deque<std::shared_ptr<FakeStream>> backlog;             ///< have connected to the listener
    std::map<std::string, std::shared_ptr<FakeStream>> by_peer;  ///< all that ever stood or were to

    // What the classes come to.
    int open();
    int listen() { return next_descriptor_++; }
    void close(int descriptor);
    Address peer(int descriptor) const;
    int send(int descriptor, std::span<const std::byte> bytes);
    std::size_t descriptors() const { return streams_.size(); }
    std::uint32_t highest_slot = 0;  ///< that a request has named

    // What the ring comes to.
    bool has(int descriptor) const { return streams_.contains(descriptor); }
    void issue(const io_uring_sqe& sqe, unsigned enters);
    /// False when no request of ours carries it.
    bool cancel(std::uint64_t user_data, unsigned enters);
    void run(bool asleep, unsigned enters);
    bool quiet() const;
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
    void run(Request& request, bool asleep, unsigned enters);
    void run_accept(Request& request);
    void run_connect(Request& request);
    void run_send(Request& request);
    void run_receive(Request& request);
    bool due(const Request& request) const;

    Complete complete_;
    TakeBuffer take_buffer_;
    std::map<int, std::shared_ptr<FakeStream>> streams_;
    std::list<Request> requests_;
    int next_descriptor_ = 100'000;  // far from the real ones
};

}  // namespace ringpost::test
