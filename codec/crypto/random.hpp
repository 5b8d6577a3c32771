#pragma once

// Random bytes that depend on a seed alone: secret and unpredictable if the seed is, and the same again in a test.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "codec/crypto/aead.hpp"

namespace ringpost::crypto {

/// ChaCha20 keyed by the seed. Each block of output begins with the key of the next block, which replaces the one
/// before, so what was drawn earlier cannot be computed from the state. One thread. Wiped when it is destroyed.
class RandomStream {
  public:
    /// `seed` is 32 random bytes of the kernel, used for nothing else.
    explicit RandomStream(const Key& seed) : key_(seed) {}
    ~RandomStream();
    RandomStream(const RandomStream&) = delete;
    RandomStream& operator=(const RandomStream&) = delete;

    void fill(std::span<std::byte> out);

    /// A random value of a type all of whose bit patterns are values.
    template <class T>
    T value() {
        static_assert(std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>);
        T out;
        fill(std::as_writable_bytes(std::span<T, 1>(&out, 1)));
        return out;
    }

  private:
    void refill();

    Key key_;
    std::array<std::byte, 512> block_{};  ///< its first 32 bytes have become key_
    std::size_t used_ = sizeof block_;
};

}  // namespace ringpost::crypto
