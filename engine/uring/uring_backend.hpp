#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/options.hpp>
#include "engine/os/waker.hpp"
#include "engine/os/watches.hpp"
#include "engine/tcp/stream_event.hpp"
#include "engine/udp/inbox.hpp"
#include "engine/udp/outbox.hpp"
#include "engine/udp/received.hpp"
#include "engine/udp/send_failures.hpp"
#include "engine/udp/socket.hpp"
#include "engine/uring/provided_buffers.hpp"
#include "engine/uring/ring.hpp"
#include "engine/uring/uring_streams.hpp"
#include "engine/uring/uring_tag.hpp"

namespace ringpost {

/// Backend with one io_uring. See backend.hpp for the interface and uring_backend.cpp for the mechanism.
class UringBackend {
  public:
    static constexpr const char* name = "uring";

    /// The error names the cause: a sysctl, a seccomp filter, a memory limit, or a kernel without multishot receive.
    static Result<std::unique_ptr<UringBackend>> open(const EngineOptions& options);
    ~UringBackend();
    UringBackend(const UringBackend&) = delete;
    UringBackend& operator=(const UringBackend&) = delete;

    SocketIndex add(UdpSocket socket);
    void remove(SocketIndex index);
    UdpSocket& socket(SocketIndex index) { return *sockets_[index].socket; }

    std::span<std::byte> transmit_buffer();
    void post(const Transmit& transmit);
    bool blocked() const { return blocked_; }
    /// The IORING_SETUP_ flags in use, lower case and separated by spaces: `single_issuer defer_taskrun`.
    std::string granted() const;
    bool sends_trains() const { return outbox_.sends_trains(); }
    bool sending() const {
        return !outbox_.empty() || sends_in_flight_ > 0 || (streams_ != nullptr && streams_->sending());
    }
    void enter(Duration sleep);
    std::span<const Received> reap();

    Result<void> listen(StreamListener listener);
    std::span<const StreamEvent> stream_events() const {
        return streams_ != nullptr ? streams_->stream_events() : std::span<const StreamEvent>{};
    }
    void answer(const StreamEvent& accepted, std::optional<StreamIndex> stream) { streams_->answer(accepted, stream); }
    std::span<std::byte> stream_buffer() { return write_buffers_.current(); }
    std::optional<StreamInput> post(const StreamRequest& request);

    int stay_armed();
    Result<Watched> watch(int fd);
    void unwatch(int fd);

    const Waker& waker() const { return waker_; }
    EngineCounters counters();
    SendFailures& send_failures() { return failures_; }
    /// Number of requests that the kernel has not completed. When every socket is removed, every stream closed and
    /// their completions are reaped, only the polls of the waker and the watched descriptors and the accepts remain.
    std::size_t in_flight() const;

  private:
    enum class ReceiveState : std::uint8_t {
        idle,        // no request: the next sleeping enter() arms one
        multishot,   // armed
        cancelling,  // being cancelled; may still deliver
    };
    enum class SendMode : std::uint8_t { dont_wait, wait };
    struct SocketSlot {
        std::optional<UdpSocket> socket;
        ReceiveState receiving = ReceiveState::idle;
        bool listed_idle = false;  // in idle_
        std::size_t requests = 0;  // in flight
        Burst burst;
        msghdr shape{};  // layout of the provided buffers: lengths of source address and control data
    };
    using Tag = UringTag;

    UringBackend(Ring ring, Waker waker, const EngineOptions& options);

    void poll_sockets();
    void complete(const io_uring_cqe& cqe);
    void complete_multishot(const Tag& tag, const io_uring_cqe& cqe);
    void complete_send(const Tag& tag, int result);

    Result<void> open_streams();

    bool receive_reply();
    void note_idle(SocketIndex index);
    void arm_idle();
    void cancel_multishots();
    void arm_waker();
    void arm_watches();
    void arm_multishot(SocketIndex index);
    void cancel_multishot(SocketIndex index);
    void queue_sends();
    bool queue_send(MessageId id, SendMode mode);
    void send_directly();
    void finish_send(MessageId id, int result, SendMode mode);
    void fail_send(MessageId id, int error, std::size_t segments);
    static void discard_errors(const SocketSlot& slot, int error);
    void recycle_buffers();

    Waker waker_;
    std::optional<Waker> ready_;  ///< signalled by the ring, once it stays armed
    ProvidedBuffers buffers_;
    Inbox inbox_;
    Outbox outbox_;
    std::deque<SocketSlot> sockets_;  // a deque, because multishot requests point into it
    std::size_t sockets_open_ = 0;
    std::size_t multishots_ = 0;     // in flight, armed or being cancelled
    std::vector<SocketIndex> idle_;  // sockets to arm before the next sleep; some may have been removed since
    std::size_t sends_in_flight_ = 0;
    SocketIndex next_socket_ = 0;  // first socket of the next reap(), so that a flooded socket does not starve others
    SocketIndex sent_last_ = 0;    // the socket of the last post()
    bool received_reply_ = false;  // the last enter() received from it directly
    std::vector<Received> received_;
    std::vector<std::uint16_t> buffers_lent_;  // provided buffers that received_ points into
    bool polls_sockets_ = false;               // the last enter() polled: reap() receives from the sockets directly
    bool stays_armed_ = false;                 // no enter() leaves a socket to be polled
    bool blocked_ = false, retrying_ = false, waker_armed_ = false, watches_armed_ = false;
    EngineCounters counters_;
    SendFailures failures_;
    WriteBuffers write_buffers_;
    std::unique_ptr<UringStreams> streams_;  // created on first use
    std::optional<Watches> watches_;         // created on first use
    Ring ring_;  // last, so that it is destroyed first: requests in flight may point into the members above
};

}  // namespace ringpost
