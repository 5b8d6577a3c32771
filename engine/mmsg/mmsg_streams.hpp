#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/tcp/streams.hpp"

namespace ringpost {

/// The streams of an MmsgBackend. See mmsg_streams.cpp for the mechanism.
class MmsgStreams final : public Streams {
  public:
    /// What epoll carries along for one of our descriptors has this bit set, and the backend's own have not.
    static constexpr std::uint64_t mark = std::uint64_t{1} << 62;

    /// What is handed in is the backend's, and outlives this.
    MmsgStreams(int epoll_fd, EngineCounters& counters, WriteBuffers& writes);

    /// Begins what is due and forgets what was told. Returns how long enter() may sleep.
    Duration prepare(Duration sleep);
    /// What epoll has said of one of our descriptors.
    void ready(std::uint64_t data, std::uint32_t events);

  private:
    void serve(Slot slot) override;
    void attend(std::uint32_t index) override;
    bool let_go(Slot slot) override;
    /// 0 or a negative errno.
    int set_interest(Slot slot, std::uint32_t events);
    void accept(std::uint32_t index);
    void receive(Slot slot);
    std::uint32_t& watched(Slot slot);

    int epoll_fd_;
    std::unique_ptr<std::byte[]> memory_;
    std::size_t used_ = 0;                // of it, in pieces, by what this turn has received
    std::vector<std::uint32_t> watched_;  // by slot: what epoll looks out for
};

}  // namespace ringpost
