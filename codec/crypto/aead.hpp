#pragma once

// Authenticated encryption of packets: AES-256-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439), by the library
// that is fastest on this processor, and a checksum in their place for private networks.
//
// The nonce is that of the Noise protocol (revision 34, section 12): 32 zero bits and the number in 64, big-endian for
// AES-256-GCM, little-endian for ChaCha20-Poly1305. So these keys work as a Noise CipherState whose n is the number.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace ringpost::crypto {

enum class Suite : std::uint8_t {
    aes256_gcm = 1,
    chacha20_poly1305 = 2,
    insecure = 0xff,  ///< neither encrypted nor authenticated: a CRC-32C in place of the tag finds corruption
};

/// The faster one on this processor of those that encrypt. The first call finds out, and allocates.
Suite preferred_suite();

inline constexpr std::size_t key_bytes = 32;
using Key = std::array<std::byte, key_bytes>;

/// A key of which each copy is wiped at its end.
struct SecretKey : Key {
    SecretKey() : Key{} {}
    SecretKey(const Key& key) : Key(key) {}
    SecretKey(const SecretKey&) = default;
    SecretKey& operator=(const SecretKey&) = default;
    ~SecretKey();
};

inline constexpr std::size_t tag_bytes_max = 16;

/// The longest text of one seal: that of a whole train. The libraries allow far more.
inline constexpr std::size_t text_bytes_max = 65'535;

/// The number of no packet: Noise's Rekey() encrypts with it (revision 34, section 4.2).
inline constexpr std::uint64_t number_reserved = UINT64_MAX;

struct AeadImplementation;  // codec/crypto/aead_implementation.hpp

/// The key of one direction of one connection, expanded. Construction and destruction allocate and free; the other
/// functions do not. The expanded key is wiped when it is freed. May move between threads, but is used by one at a
/// time. After a move only destruction and assignment are allowed.
class PacketKey {
  public:
    PacketKey(Suite suite, const Key& key);
    /// The same with one implementation of its suite, for tests and benchmarks.
    PacketKey(const AeadImplementation& implementation, const Key& key);

    /// Size of the tag at the end of each packet: 16, or 4 when insecure.
    [[nodiscard]] std::size_t tag_bytes() const { return tag_bytes_; }

    /// Seals in place. `packet` is `header_bytes` of associated data, the plain text, and space for the tag. A number
    /// must never be used twice with one key, and must not be number_reserved.
    void seal(std::span<std::byte> packet, std::size_t header_bytes, std::uint64_t number) {
        seal(packet.first(header_bytes), packet.subspan(header_bytes), number);
    }
    /// Opens in place. Returns false if `packet` is shorter than header and tag, or the tag does not match; the content
    /// behind the header is unspecified then and must not be used.
    [[nodiscard]] bool open(std::span<std::byte> packet, std::size_t header_bytes, std::uint64_t number) {
        if (packet.size() < header_bytes + tag_bytes_) return false;
        return open(packet.first(header_bytes), packet.subspan(header_bytes), number);
    }

    /// The same with associated data that is elsewhere. `text` ends with the tag.
    void seal(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number);
    [[nodiscard]] bool open(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number);

    /// Replaces the key, for a connection that takes the place of another.
    void set_key(const Key& key);
    /// Replaces the key by the one that follows it: Noise's Rekey() (revision 34, section 4.2). The insecure suite has
    /// a successor as well, but nothing depends on it.
    void rekey() { set_successor_of(*this); }
    /// The same for the successor of another key, which stays as it is.
    void set_successor_of(PacketKey& other);

    [[nodiscard]] Suite suite() const;
    /// What implements it, such as `ipsec-mb avx512`. Valid for the life of the process.
    [[nodiscard]] std::string_view implementation() const;

  private:
    struct Free {
        const AeadImplementation* implementation;
        void operator()(void* state) const;
    };

    std::unique_ptr<void, Free> state_;
    std::size_t tag_bytes_;
};

}  // namespace ringpost::crypto
