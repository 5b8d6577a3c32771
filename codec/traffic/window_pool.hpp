#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "codec/base/limits.hpp"
#include "codec/base/zeroed_array.hpp"

namespace ringpost::traffic {

/// Memory for the windows of a sink's streams: wide ones for the first, narrow ones for those beyond
/// limits::load_wide_windows. Memory grows with use; nothing is allocated after construction.
class WindowPool {
  public:
    WindowPool();

    /// The words of one window until destroyed. The pool must outlive it.
    class Lease {
      public:
        Lease() = default;
        Lease(WindowPool& pool, std::uint32_t index) : pool_(&pool), index_(index) {}
        Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), index_(other.index_) {}
        Lease& operator=(Lease&& other) noexcept {
            std::swap(pool_, other.pool_);
            std::swap(index_, other.index_);
            return *this;
        }
        ~Lease() {
            if (pool_ != nullptr) pool_->free(index_);
        }

        std::span<std::uint64_t> words() const { return pool_->words(index_); }

      private:
        WindowPool* pool_ = nullptr;
        std::uint32_t index_ = 0;
    };

    /// A wide window if there is one. At most limits::load_streams_max leases exist at once.
    Lease lease();

  private:
    static constexpr std::size_t wide_words = limits::load_window_sequences / 64;
    static constexpr std::size_t narrow_words = limits::load_narrow_window_sequences / 64;

    std::span<std::uint64_t> words(std::uint32_t index);
    void free(std::uint32_t index);

    ZeroedArray<std::uint64_t> memory_;  ///< the wide windows, then the narrow ones
    std::uint32_t used_ = 0;             ///< windows that have been leased at least once: all below it
    ReservedVector<std::uint32_t> free_wide_, free_narrow_;
};

}  // namespace ringpost::traffic
