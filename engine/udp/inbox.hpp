#pragma once

// Direct (non-blocking) receives, shared by both backends: receive buffers and an adaptive batch size.

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <ringpost/counters.hpp>
#include "engine/os/address.hpp"
#include "engine/udp/control.hpp"
#include "engine/udp/received.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost {

/// Batch size of the next receive: doubled after a full batch, otherwise halved. An idle socket costs the cheapest
/// call, a flooded one the fewest calls.
class Burst {
  public:
    std::size_t size() const { return size_; }
    void adapt(bool was_full) { size_ = was_full ? (size_ < size_max ? size_ * 2 : size_max) : (size_ + 1) / 2; }

  private:
    static constexpr std::size_t size_max = 32;
    std::size_t size_ = 1;
};

/// received_max receive buffers, filled in order. Received::bytes point into them.
class Inbox {
  public:
    Inbox();

    /// Frees all buffers. Invalidates the views appended by receive().
    void clear() { used_ = 0; }
    bool full() const { return used_ == received_max; }

    /// Receives up to burst.size() messages without blocking and appends them to `out`. False if the socket has no
    /// more.
    bool receive(const UdpSocket& socket, SocketIndex index, Burst& burst, std::vector<Received>& out,
                 EngineCounters& counters);

  private:
    struct Slot {
        iovec vector;
        SocketAddress name;
        alignas(cmsghdr) unsigned char control[receive_control_bytes_max];
    };

    void prepare(std::size_t slot, const UdpSocket& socket);

    std::unique_ptr<std::byte[]> memory_;
    std::vector<Slot> slots_;
    std::vector<mmsghdr> messages_;  ///< one per slot
    std::size_t used_ = 0;
};

}  // namespace ringpost
