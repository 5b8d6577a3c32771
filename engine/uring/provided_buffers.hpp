#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/uring/ring.hpp"

namespace ringpost {

/// Receive buffers that the kernel picks from by itself, in a ring shared with it (IORING_REGISTER_PBUF_RING).
class ProvidedBuffers {
  public:
    /// `count` is a power of two. Must outlive the ring it is registered with.
    ProvidedBuffers(unsigned count, std::size_t buffer_bytes, std::uint16_t group);

    Result<void> register_with(Ring& ring);

    /// The buffer a completion names (its flags' upper 16 bits). Ours until give_back().
    std::span<std::byte> buffer(std::uint16_t id) { return {&memory_[id * buffer_bytes_], buffer_bytes_}; }
    void give_back(std::uint16_t id);
    /// Buffers that the kernel holds.
    unsigned available() const { return available_; }
    /// Takes note that the kernel has used one.
    void taken() { --available_; }
    std::uint16_t group() const { return group_; }

  private:
    struct Free {
        void operator()(void* memory) const { std::free(memory); }
    };

    unsigned count_;
    std::size_t buffer_bytes_;
    std::uint16_t group_;
    std::unique_ptr<io_uring_buf_ring, Free> ring_;
    std::unique_ptr<std::byte[]> memory_;
    unsigned available_ = 0;
};

}  // namespace ringpost
