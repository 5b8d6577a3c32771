#pragma once

// The handshakes of the Noise Protocol Framework, revision 34, that take two messages: NNpsk0, NK, IK and IKpsk2, with
// 25519, SHA256 and AESGCM or ChaChaPoly. The transport messages after a handshake are those of two PacketKeys, whose
// packet number is Noise's n.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "codec/crypto/aead.hpp"
#include "codec/crypto/hash.hpp"

namespace ringpost::crypto {

enum class Pattern : std::uint8_t {
    nn_psk0 = 1,  ///< one secret of all members: proves membership, not identity
    nk = 2,       ///< the initiator knows the responder's public key and stays anonymous
    ik = 3,       ///< both have key pairs; the responder learns the initiator's public key
    ik_psk2 = 4,  ///< IK, and a shared secret in addition
};

inline constexpr std::array all_patterns{Pattern::nn_psk0, Pattern::nk, Pattern::ik, Pattern::ik_psk2};

enum class Role : std::uint8_t { initiator, responder };

/// An X25519 key pair (RFC 7748).
struct KeyPair {
    SecretKey secret{};
    Key public_key{};
};

/// The pair of any 32 random bytes.
KeyPair key_pair_of(const Key& secret);

/// The keys known before a handshake. A pattern ignores those that it has no use for.
struct NoiseKeys {
    KeyPair local;    ///< our static key pair: the responder's of all patterns but NNpsk0, the initiator's of IK*
    Key remote{};     ///< the responder's public key, at the initiator of all patterns but NNpsk0
    SecretKey psk{};  ///< of NNpsk0 and IKpsk2
};

enum class NoiseError : std::uint8_t {
    too_short,      ///< ends within a field
    not_authentic,  ///< a tag does not match: other keys, another prologue, or changed on the way
    weak_key,       ///< a public key with which every shared secret is zero
};

/// Writes a name such as `Noise_IK_25519_AESGCM_SHA256` and returns a view of it. The insecure suite shakes hands like
/// ChaChaPoly.
using NoiseNameSpace = std::array<char, 40>;
std::string_view write_noise_name(Pattern pattern, Suite suite, NoiseNameSpace& out);

/// Bytes that a message adds to its payload. `message` is 0 or 1.
std::size_t noise_overhead(Pattern pattern, std::size_t message);

/// One side of one handshake at a time: start(), then write() and read() at the initiator or read() and write() at the
/// responder, then split(). Construction allocates, the calls do not. Wiped when it is destroyed or started again.
/// After an error only start() is allowed.
class NoiseHandshake {
  public:
    NoiseHandshake();
    ~NoiseHandshake();
    NoiseHandshake(NoiseHandshake&&) = default;
    NoiseHandshake& operator=(NoiseHandshake&&) = default;

    /// `prologue` is what both sides must agree on besides; it is not sent.
    void start(Pattern pattern, Suite suite, Role role, const NoiseKeys& keys, std::span<const std::byte> prologue);

    /// Writes our message with `payload` to `out`, which must hold noise_overhead() more, and returns its size. The
    /// ephemeral pair must be of random bytes that are never used again. `out` and `payload` must not overlap.
    std::expected<std::size_t, NoiseError> write(const KeyPair& ephemeral, std::span<const std::byte> payload,
                                                 std::span<std::byte> out);

    /// Reads the other side's message in place and returns its payload, a view of `message`. After an error it can be
    /// called again with another message; what `message` contains is unspecified then.
    std::expected<std::span<std::byte>, NoiseError> read(std::span<std::byte> message);

    /// Undoes the last read(), whose payload turned out to be of no use.
    void unread();

    /// The other side's static public key: given, or, at the responder of IK and IKpsk2, read from the first message.
    [[nodiscard]] const Key& remote() const { return keys_.remote; }

    /// The keys of both directions, once both messages are through, and a digest of all that was said (Noise, section
    /// 11.2). Wipe them after use.
    struct Split {
        Key send, receive;
        Digest handshake_hash;
    };
    [[nodiscard]] Split split() const;

    /// Wipes all secrets, as nothing but start() follows. A handshake whose ephemeral keys are kept is not safe from a
    /// later loss of the static ones.
    void forget();

  private:
    struct Symmetric {
        Digest chaining_key{};
        Digest hash{};
        std::uint64_t number = 0;
        bool keyed = false;
    };

    enum class Token : std::uint8_t { e, s, ee, es, se, ss, psk };
    struct PatternRow;
    static const PatternRow& row_of(Pattern pattern);
    friend std::string_view write_noise_name(Pattern, Suite, NoiseNameSpace&);
    friend std::size_t noise_overhead(Pattern, std::size_t);

    PacketKey& cipher() { return ciphers_[suite_ == Suite::aes256_gcm ? 0 : 1]; }
    void mix_hash(std::span<const std::byte> bytes);
    void mix_key(std::span<const std::byte> material);
    void mix_key_and_hash(std::span<const std::byte> material);
    [[nodiscard]] bool mix_shared(Token token);
    void mix_ephemeral(const Key& public_key);
    std::expected<std::span<std::byte>, NoiseError> read_tokens(std::span<std::byte> message);
    std::size_t encrypt_and_hash(std::span<const std::byte> plain, std::byte* out);
    [[nodiscard]] bool decrypt_and_hash(std::span<std::byte> sealed);

    std::array<PacketKey, 2> ciphers_;
    Symmetric symmetric_, before_read_;
    NoiseKeys keys_;
    KeyPair ephemeral_;
    Key remote_ephemeral_{};
    Pattern pattern_ = Pattern::nn_psk0;
    Suite suite_ = Suite::chacha20_poly1305;
    Role role_ = Role::initiator;
    std::uint8_t messages_ = 0;  ///< written and read
};

}  // namespace ringpost::crypto
