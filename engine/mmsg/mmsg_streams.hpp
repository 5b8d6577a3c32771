#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/tcp/streams.hpp"

namespace ringpost {

/// The streams of an MmsgBackend. See mmsg_streams.cpp for the mechanism.
class MmsgStreams final : public Streams {
  public:
    /// This bit is set in the epoll data of streams and listeners, and clear in that of the backend's descriptors.
    static constexpr std::uint64_t mark = std::uint64_t{1} << 62;

    /// The arguments belong to the backend and must outlive this object.
    MmsgStreams(int epoll_fd, EngineCounters& counters, WriteBuffers& writes);

    /// Frees the receive buffers, then see Streams::prepare().
    Duration prepare(Duration sleep);
    /// Handles the epoll event of a stream or listener.
    void ready(std::uint64_t data, std::uint32_t events);

  private:
    void update(Slot slot) override;
    void start_accepting(std::uint32_t index) override;
    bool cancel_requests(Slot slot) override;
    /// 0 or a negative errno.
    int set_interest(Slot slot, std::uint32_t events);
    void accept(std::uint32_t index);
    void receive(Slot slot);
    std::uint32_t& watched(Slot slot);

    int epoll_fd_;
    std::unique_ptr<std::byte[]> memory_;  // receive buffers
    std::size_t used_ = 0;                 // receive buffers filled in this turn
    std::vector<std::uint32_t> watched_;   // by slot: the registered epoll events
};

}  // namespace ringpost
