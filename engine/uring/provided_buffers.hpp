#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/uring/ring.hpp"

namespace ringpost {

/// A ring of receive buffers from which the kernel selects (IORING_REGISTER_PBUF_RING).
class ProvidedBuffers {
  public:
    /// `count` is a power of two. Must outlive the ring it is registered with.
    ProvidedBuffers(unsigned count, std::size_t buffer_bytes, std::uint16_t group);

    Result<void> register_with(Ring& ring);

    /// The buffer of a completion; `id` is the upper 16 bits of its flags. Valid until recycle().
    std::span<std::byte> buffer(std::uint16_t id) { return {&memory_[id * buffer_bytes_], buffer_bytes_}; }
    /// Returns a buffer to the kernel.
    void recycle(std::uint16_t id);
    /// Number of buffers that the kernel holds.
    unsigned available() const { return available_; }
    /// Call for each completion that carries a buffer.
    void on_consumed() { --available_; }
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
