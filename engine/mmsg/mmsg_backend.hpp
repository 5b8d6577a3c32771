#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/options.hpp>
#include "engine/mmsg/mmsg_streams.hpp"
#include "engine/os/waker.hpp"
#include "engine/os/watches.hpp"
#include "engine/tcp/stream_event.hpp"
#include "engine/udp/inbox.hpp"
#include "engine/udp/outbox.hpp"
#include "engine/udp/received.hpp"
#include "engine/udp/send_failures.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost {

/// Backend with epoll, recvmmsg and sendmmsg, for kernels and containers without io_uring, and for comparison.
/// See backend.hpp for the interface and mmsg_backend.cpp for the mechanism.
class MmsgBackend {
  public:
    static constexpr const char* name = "mmsg";

    static Result<std::unique_ptr<MmsgBackend>> open(const EngineOptions& options);
    ~MmsgBackend();
    MmsgBackend(const MmsgBackend&) = delete;
    MmsgBackend& operator=(const MmsgBackend&) = delete;

    SocketIndex add(UdpSocket socket);
    void remove(SocketIndex index);
    UdpSocket& socket(SocketIndex index) { return *sockets_[index].socket; }

    std::span<std::byte> transmit_buffer();
    void post(const Transmit& transmit);
    bool blocked() const { return blocked_; }
    std::string granted() const { return ""; }  // no optional kernel features
    bool sends_trains() const { return outbox_.sends_trains(); }
    bool sending() const { return !outbox_.empty() || (streams_ != nullptr && streams_->sending()); }
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

  private:
    struct SocketSlot {
        std::optional<UdpSocket> socket;
        bool readable = false;  // reported by epoll, and not drained since: in readable_
        Burst burst;
    };
    MmsgBackend(int epoll_fd, Waker waker, const EngineOptions& options);

    void open_streams();
    void flush();
    void finish_send(MessageId id, int result);
    void set_interest(SocketIndex index, std::uint32_t events);
    bool receive_reply();
    void receive_from_all();
    void receive_from_readable();
    void sleep_until_ready(Duration sleep);

    Waker waker_;
    int epoll_fd_;
    Outbox outbox_;
    std::vector<SocketSlot> sockets_;
    std::size_t sockets_open_ = 0;
    std::vector<SocketIndex> readable_;
    Inbox inbox_;
    std::uint64_t polls_ = 0;
    std::vector<mmsghdr> sends_;
    std::vector<Received> received_;
    SocketIndex next_socket_ = 0;  ///< first socket of the next reap(), so that a flooded socket does not starve others
    SocketIndex sent_last_ = 0;    // the socket of the last post()
    bool received_reply_ = false;  // the last enter() received from it directly
    bool polls_all_ = false;       ///< reap() receives from every socket, not only the readable ones
    bool stays_armed_ = false;     ///< every enter() leaves the epoll set ready to be waited for
    std::optional<SocketIndex> waits_for_space_;  ///< the socket whose EPOLLOUT the set reports meanwhile
    bool blocked_ = false;
    EngineCounters counters_;
    SendFailures failures_;
    WriteBuffers write_buffers_;
    std::unique_ptr<MmsgStreams> streams_;  // created on first use
    std::optional<Watches> watches_;        // created on first use
};

}  // namespace ringpost
