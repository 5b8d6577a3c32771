#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "codec/base/zeroed_array.hpp"

namespace ringpost {

/// Stores byte strings of any length in chains of equal chunks, so freed memory fits any later string. All memory is
/// allocated at construction, and not touched before use. Not thread-safe.
class ChunkPool {
  public:
    static constexpr std::size_t chunk_bytes = 64;

    /// The first chunk of a stored string; `nothing` for an empty one.
    using Chunk = std::uint32_t;
    static constexpr Chunk nothing = 0xffff'ffff;

    explicit ChunkPool(std::size_t capacity_bytes)
        : next_(capacity_bytes / chunk_bytes),
          memory_(capacity_bytes / chunk_bytes * chunk_bytes),
          free_count_(capacity_bytes / chunk_bytes) {}

    bool has_room(std::size_t bytes) const { return chunks(bytes) <= free_count_; }

    /// Stores a copy until release(). Returns nullopt if there is not enough space.
    std::optional<Chunk> keep(std::span<const std::byte> bytes) {
        if (!has_room(bytes.size())) return std::nullopt;
        Chunk first = nothing;
        Chunk* link = &first;
        for (std::size_t at = 0; at < bytes.size(); at += chunk_bytes) {
            const Chunk chunk = take_free();
            copy_chunk(&memory_[chunk * chunk_bytes], &bytes[at], bytes.size() - at);
            *link = chunk;
            link = &next_[chunk];
        }
        *link = nothing;
        free_count_ -= chunks(bytes.size());
        return first;
    }

    /// Copies the string stored at `first`, which has `out.size()` bytes, to `out`.
    void copy(Chunk first, std::span<std::byte> out) const {
        for (std::size_t at = 0; at < out.size(); at += chunk_bytes, first = next_[first])
            copy_chunk(&out[at], &memory_[first * chunk_bytes], out.size() - at);
    }

    /// Frees the string stored at `first`.
    void release(Chunk first) {
        while (first != nothing) {
            const Chunk following = next_[first];
            next_[first] = free_;
            free_ = first;
            ++free_count_;
            first = following;
        }
    }

    std::size_t free_bytes() const { return free_count_ * chunk_bytes; }

  private:
    /// A freed chunk or, if there is none, the first one that was never used.
    Chunk take_free() {
        const Chunk chunk = free_;
        if (chunk == nothing) return unused_++;
        free_ = next_[chunk];
        return chunk;
    }
    /// A whole chunk is copied without a call.
    static void copy_chunk(std::byte* to, const std::byte* from, std::size_t bytes_left) {
        if (bytes_left >= chunk_bytes)
            std::memcpy(to, from, chunk_bytes);
        else
            std::memcpy(to, from, bytes_left);
    }
    static std::size_t chunks(std::size_t bytes) { return (bytes + chunk_bytes - 1) / chunk_bytes; }

    ZeroedArray<Chunk> next_;  ///< links of stored strings and of the free list
    ZeroedArray<std::byte> memory_;
    Chunk free_ = nothing;
    Chunk unused_ = 0;  ///< this chunk and those after it were never used
    std::size_t free_count_;
};

}  // namespace ringpost
