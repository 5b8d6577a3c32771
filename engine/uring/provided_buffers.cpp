#include "engine/uring/provided_buffers.hpp"

#include <cstdlib>
#include <cstring>

#include "codec/base/allocated.hpp"
#include "codec/base/check.hpp"

namespace ringpost {
namespace {

constexpr std::size_t page_bytes = 4096;  // the kernel requires a page-aligned ring

std::size_t ring_bytes(unsigned count) {
    return (count * sizeof(io_uring_buf) + page_bytes - 1) / page_bytes * page_bytes;
}

}  // namespace

ProvidedBuffers::ProvidedBuffers(unsigned count, std::size_t buffer_bytes, std::uint16_t group)
    : count_(count),
      buffer_bytes_(buffer_bytes),
      group_(group),
      ring_(static_cast<io_uring_buf_ring*>(
          allocated([count] { return std::aligned_alloc(page_bytes, ring_bytes(count)); }))),
      memory_(new std::byte[count * buffer_bytes]) {
    RINGPOST_CHECK(count > 0 && (count & (count - 1)) == 0);
    std::memset(static_cast<void*>(ring_.get()), 0, ring_bytes(count));
    for (unsigned id = 0; id < count; ++id) recycle(static_cast<std::uint16_t>(id));
}

Result<void> ProvidedBuffers::register_with(Ring& ring) { return ring.register_buffers(ring_.get(), count_, group_); }

void ProvidedBuffers::recycle(std::uint16_t id) {
    io_uring_buf_ring_add(ring_.get(), &memory_[id * buffer_bytes_], static_cast<unsigned>(buffer_bytes_), id,
                          static_cast<int>(count_ - 1), 0);
    io_uring_buf_ring_advance(ring_.get(), 1);
    ++available_;
}

}  // namespace ringpost
