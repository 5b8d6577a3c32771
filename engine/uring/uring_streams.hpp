#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "engine/os/address.hpp"
#include "engine/tcp/streams.hpp"
#include "engine/uring/provided_buffers.hpp"
#include "engine/uring/ring.hpp"
#include "engine/uring/uring_tag.hpp"

namespace ringpost {

/// The streams of a UringBackend. See uring_streams.cpp for the mechanism.
class UringStreams final : public Streams {
  public:
    /// What is handed in is the backend's, and outlives this.
    static Result<std::unique_ptr<UringStreams>> open(Ring& ring, EngineCounters& counters, WriteBuffers& writes);

    /// Queues the requests that are due, and gives the kernel back the buffers of what was told. The ring must be
    /// entered before anything is posted again. Returns how long enter() may sleep.
    Duration prepare(Duration sleep);
    void complete(const UringTag& tag, const io_uring_cqe& cqe);
    /// Closes everything. The ring must be entered once more, so that no port stays taken.
    void shut_down();
    /// After shut_down(): a listener's request has not completed, and may still bring connections, each for refuse().
    bool accepting() const;
    void refuse(const UringTag& tag, const io_uring_cqe& cqe);
    /// Requests that the kernel has not completed.
    std::size_t in_flight() const;

  private:
    enum class ReceiveState : std::uint8_t { idle, armed, cancelling };
    struct Requests {
        std::uint32_t in_flight = 0;
        ReceiveState receiving = ReceiveState::idle;
        UringTag receive{};  // the one that is armed
        bool sending = false;
        bool connecting = false;
        SocketAddress address;  // connecting: where to
    };

    UringStreams(Ring& ring, EngineCounters& counters, WriteBuffers& writes);

    void serve(Slot slot) override;
    void attend(std::uint32_t index) override;
    bool let_go(Slot slot) override;
    void connect(Slot slot, Requests& has);
    void receive(Slot slot, Requests& has);
    void send(Slot slot, Requests& has);
    void hand_over(io_uring_sqe* sqe, UringTag tag);
    void cancel(UringTag tag);
    Requests& requests(Slot slot);

    void complete_accept(const UringTag& tag, const io_uring_cqe& cqe);
    bool refuses_multishot(const UringTag& tag, int result);
    void complete_receive(const UringTag& tag, const io_uring_cqe& cqe);

    Ring& ring_;
    ProvidedBuffers buffers_;
    std::vector<std::uint16_t> lent_;  // buffers that stream_events point into
    std::deque<Requests> requests_;    // by slot; a deque: requests point into it
    bool multishot_ = true;            // the kernel knows it
};

}  // namespace ringpost
