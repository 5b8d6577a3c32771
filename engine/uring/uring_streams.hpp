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
    /// The arguments belong to the backend and must outlive this object.
    static Result<std::unique_ptr<UringStreams>> open(Ring& ring, EngineCounters& counters, WriteBuffers& writes);

    /// Recycles the buffers of the last stream events and queues the requests that are due; see Streams::prepare().
    /// Enter the ring before the next post().
    Duration prepare(Duration sleep);
    void complete(const UringTag& tag, const io_uring_cqe& cqe);
    /// Closes everything. Enter the ring afterwards, because the cancelled accepts keep the ports bound.
    void shut_down();
    /// After shut_down(): an accept has not completed. It may still accept connections; pass its completions to
    /// refuse(), which closes them.
    bool accepting() const;
    void refuse(const UringTag& tag, const io_uring_cqe& cqe);
    /// Number of requests that the kernel has not completed.
    std::size_t in_flight() const;

  private:
    enum class ReceiveState : std::uint8_t { idle, armed, cancelling };
    struct Requests {
        std::uint32_t in_flight = 0;
        ReceiveState receiving = ReceiveState::idle;
        UringTag receive{};  // of the armed receive
        bool sending = false;
        bool connecting = false;
        SocketAddress address;  // connecting: the destination
    };

    UringStreams(Ring& ring, EngineCounters& counters, WriteBuffers& writes);

    void update(Slot slot) override;
    void start_accepting(std::uint32_t index) override;
    bool cancel_requests(Slot slot) override;
    void connect(Slot slot, Requests& state);
    void receive(Slot slot, Requests& state);
    void send(Slot slot, Requests& state);
    void tag_request(io_uring_sqe* sqe, UringTag tag);
    void cancel(UringTag tag);
    Requests& requests(Slot slot);

    void complete_accept(const UringTag& tag, const io_uring_cqe& cqe);
    bool refuses_multishot(const UringTag& tag, int result);
    void complete_receive(const UringTag& tag, const io_uring_cqe& cqe);

    Ring& ring_;
    ProvidedBuffers buffers_;
    std::vector<std::uint16_t> lent_;  // buffers that stream_events point into
    std::deque<Requests> requests_;    // by slot; a deque, because requests point into it
    bool multishot_ = true;            // supported, as far as known
};

}  // namespace ringpost
