#pragma once

// A fake kernel behind substitute implementations of class Ring and system_calls.hpp (fake_ring.cpp). Requests and
// calls run against a network in memory, and a script determines the result of each. Descriptors only serve as keys; no
// datagram touches a real socket.

#include <liburing.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ringpost/address.hpp>
#include "tests/kernel/uring/fake_streams.hpp"

namespace ringpost::test {

/// An arriving datagram, or a train coalesced by the kernel (segment_bytes > 0).
struct Incoming {
    Address source;
    std::string bytes;
    std::size_t segment_bytes = 0;
    std::int64_t stamped_unix_ns = 0;  ///< 0: no time stamp
};

/// A message (a datagram or a train) that was submitted, with its result.
struct Outgoing {
    std::string bytes;
    std::size_t segment_bytes = 0;  ///< 0: a single datagram
    Address destination;            ///< Family::none: plain send()
    bool waits = false;             ///< without MSG_DONTWAIT
    bool direct = false;            ///< by a direct system call, not through the ring
    int result = 0;                 ///< 0: sent; otherwise an errno
    unsigned turn = 0;              ///< of submission
};

/// The socket of a descriptor. Requests share ownership, as in the kernel: closing the descriptor does not end them.
struct FakeSocket {
    std::uint32_t id = 0;
    bool connected = false;
    std::deque<Incoming> incoming;
    std::vector<Outgoing> outgoing;  ///< completed messages, in order of completion
};

/// What an armed multishot receive does with the next datagram.
enum class Shot : std::uint8_t {
    deliver,
    deliver_and_end,  ///< completes with data and without F_MORE
    fail,             ///< ends with `Script::shot_errno`; the datagram stays in the socket
    fail_with_buffer  ///< the same, and consumes a buffer
};

/// The results of requests. By default nothing fails.
struct Script {
    /// 0 or an errno. A message with `waits` keeps waiting on EAGAIN.
    std::function<int(const Outgoing&)> send = [](const Outgoing&) { return 0; };
    /// For direct receives: 0 delivers what is in the socket.
    std::function<int()> receive = [] { return 0; };
    std::function<Shot()> shot = [] { return Shot::deliver; };
    /// An error that ends an armed multishot without a datagram; 0: none.
    std::function<int()> idle_shot = [] { return 0; };
    int shot_errno = ECONNREFUSED;
    /// Number of enters by which the end of a cancelled multishot is delayed.
    std::function<unsigned()> lateness = [] { return 0u; };
    /// Whether waiting sends are retried in this enter. Always while the caller sleeps.
    std::function<bool()> room = [] { return true; };
};

class FakeKernel {
  public:
    FakeKernel();

    Script script;
    FakeStreams streams;

    /// Associates the descriptor with a new socket, until close().
    std::shared_ptr<FakeSocket> open(int fd, bool connected);
    void close(int fd);
    void close_stream(int descriptor);

    /// Messages submitted from now on belong to a new turn.
    void next_turn() { ++turn_; }
    unsigned enters() const { return enters_; }
    /// The engine slept without a timeout although nothing could wake it.
    bool stuck() const { return stuck_; }
    /// Requests in flight, without polls.
    std::size_t pending() const { return multishots_.size() + waiting_.size() + streams.pending(); }
    std::size_t buffers_offered(std::uint16_t group = 0) const;
    std::size_t multishots() const { return multishots_.size(); }

    // For class Ring and the system calls.
    struct Completion {
        std::uint64_t user_data;
        std::int32_t result;
        std::uint32_t flags;
    };
    void start(unsigned submissions, unsigned completions);
    void register_buffers(io_uring_buf_ring* buffers, unsigned entries, std::uint16_t group);
    io_uring_sqe* submission();
    void enter();
    void enter_and_sleep(bool without_limit);
    bool idle() const;
    bool nothing_queued() const { return queue_.empty() && completions.empty(); }
    int send_now(int fd, mmsghdr* messages, std::size_t count);
    int receive_now(int fd, mmsghdr* messages, std::size_t count);
    std::deque<Completion> completions;

  private:
    struct Multishot {
        std::shared_ptr<FakeSocket> socket;
        std::uint64_t user_data;
        msghdr shape;
        bool cancelled = false;
        unsigned ends_at = 0;
    };
    struct Waiting {
        std::shared_ptr<FakeSocket> socket;
        unsigned turn;
        std::uint64_t user_data;
        std::function<Outgoing()> read;  // rereads the message, which must remain valid until the request ends
    };
    struct Poll {
        int fd;
        std::uint64_t user_data;
    };

    void submit();
    void issue(const io_uring_sqe& sqe);
    std::shared_ptr<FakeSocket> socket_of(int fd);
    bool send(const Waiting& request);
    void arm(const io_uring_sqe& sqe);
    void cancel(const io_uring_sqe& sqe);
    void run(Caller caller);
    bool run_multishot(Multishot& multishot, Caller caller);
    bool deliver(Multishot& multishot, std::uint32_t more);
    void complete(std::uint64_t user_data, std::int64_t result, std::uint32_t flags = 0);
    const io_uring_buf* take_buffer(std::uint16_t group);

    std::map<int, std::shared_ptr<FakeSocket>> sockets_;
    std::uint32_t next_id_ = 1;
    std::vector<io_uring_sqe> queue_;
    unsigned submissions_max_ = 0, completions_max_ = 0;
    std::list<Multishot> multishots_;
    std::list<Waiting> waiting_;
    std::list<Poll> polls_;
    struct Buffers {
        io_uring_buf_ring* ring = nullptr;
        unsigned max = 0;
        std::uint16_t head = 0;

        std::size_t offered() const { return static_cast<std::uint16_t>(ring->tail - head); }
        void check() const;
    };
    std::map<std::uint16_t, Buffers> buffers_;  // by group
    unsigned enters_ = 0, turn_ = 0;
    bool stuck_ = false;
};

/// The kernel used by Ring::open(). Each test creates a new one first.
FakeKernel& fake_kernel();
void new_fake_kernel();

}  // namespace ringpost::test
