#pragma once

// What both backends share of the way in when they try sockets directly: receive buffers, and how many to ask for.

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

/// How many messages the next try of a socket asks for: doubled by a try that came back full, halved by one that did
/// not, so that an idle socket costs the cheapest call there is and a flooded one the fewest.
class Burst {
  public:
    std::size_t size() const { return size_; }
    void result(bool full) { size_ = full ? (size_ < size_max ? size_ * 2 : size_max) : (size_ + 1) / 2; }

  private:
    static constexpr std::size_t size_max = 32;
    std::size_t size_ = 1;
};

class Inbox {
  public:
    Inbox();

    /// Gives every buffer free again: what was received into them is no longer needed.
    void clear() { used_ = 0; }
    bool full() const { return used_ == received_max; }

    /// Receives what is there, up to a burst, without waiting, and appends it to `out`; false when the socket ran dry.
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
