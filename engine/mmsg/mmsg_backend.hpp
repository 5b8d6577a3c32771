#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ringpost/counters.hpp>
#include "engine/loop/backend.hpp"
#include "engine/mmsg/mmsg_streams.hpp"
#include "engine/os/waker.hpp"
#include "engine/os/watches.hpp"
#include "engine/udp/inbox.hpp"
#include "engine/udp/outbox.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost {

/// Sockets driven by epoll, recvmmsg and sendmmsg: for kernels and containers that refuse io_uring, and for comparison.
/// See backend.hpp for the calls and mmsg_backend.cpp for the mechanism.
class MmsgBackend {
  public:
    static constexpr const char* name = "mmsg";

    static Result<std::unique_ptr<MmsgBackend>> open(const BackendOptions& options);
    ~MmsgBackend();
    MmsgBackend(const MmsgBackend&) = delete;
    MmsgBackend& operator=(const MmsgBackend&) = delete;

    SocketIndex add(UdpSocket socket);
    void remove(SocketIndex index);
    UdpSocket& socket(SocketIndex index) { return *ports_[index].socket; }

    std::span<const Received> receive() { return received_; }
    std::span<std::byte> transmit_buffer();
    void post(const Transmit& transmit);
    bool blocked() const { return blocked_; }
    std::string granted() const { return ""; }  // there is nothing that could be refused
    bool sends_trains() const { return outbox_.sends_trains(); }
    bool sending() const { return !outbox_.empty() || (streams_ != nullptr && streams_->sending()); }
    void wait(Duration sleep);

    Result<void> listen(StreamListener listener);
    std::span<const StreamHappening> happenings() const {
        return streams_ != nullptr ? streams_->happenings() : std::span<const StreamHappening>{};
    }
    void answer(const StreamHappening& accepted, std::optional<StreamIndex> stream) {
        streams_->answer(accepted, stream);
    }
    std::span<std::byte> stream_buffer() { return write_buffers_.lend(); }
    std::optional<StreamInput> post(const StreamRequest& request);

    Result<Watched> watch(int fd);
    void unwatch(int fd);

    const Waker& waker() const { return waker_; }
    Counters counters();

  private:
    struct Port {
        std::optional<UdpSocket> socket;
        bool readable = false;  // as epoll last said
        Burst burst;
    };
    MmsgBackend(int epoll_fd, Waker waker, const BackendOptions& options);

    void open_streams();
    void flush();
    void finish_send(MessageId id, int result);
    void watch(SocketIndex index, std::uint32_t events);
    void sleep_until_ready(Duration sleep);

    Waker waker_;
    int epoll_fd_;
    Outbox outbox_;
    std::vector<Port> ports_;
    std::size_t ports_open_ = 0;
    Inbox inbox_;
    std::uint64_t polls_ = 0;
    std::vector<mmsghdr> sends_;
    std::vector<Received> received_;
    SocketIndex next_port_ = 0;  ///< where the next sweep begins, so that a flooded socket does not starve the rest
    bool blocked_ = false;
    Counters counters_;
    WriteBuffers write_buffers_;
    std::unique_ptr<MmsgStreams> streams_;  // once there was a use for them
    std::optional<Watches> watches_;        // likewise
};

}  // namespace ringpost
