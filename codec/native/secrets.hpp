#pragma once

// What is derived from keys for the outside of a handshake: which key is meant, the mac of an Init, cookies, and the
// tokens of resets. All are SHA-256 or HMAC-SHA256, truncated, with a label of their own for each use.

#include <cstdint>
#include <span>

#include <ringpost/address.hpp>
#include <ringpost/time.hpp>
#include "codec/crypto/noise.hpp"
#include "codec/native/packet.hpp"

namespace ringpost::native {

/// Of a server's public key, or of the shared secret of NNpsk0. Without that key nobody can make an Init that a
/// server answers.
struct MacKey {
    crypto::Key key{};
    KeyId id{};
};
MacKey mac_key_of_public(const crypto::Key& public_key);
MacKey mac_key_of_shared(const crypto::Key& psk);
MacKey mac_key_of(crypto::Pattern pattern, const crypto::Key& responder_public, const crypto::Key& psk);

/// Over the first mac_covers_bytes of a packet and, of an Init, its Noise message.
Mac mac_of(const MacKey& key, std::span<const std::byte> packet, std::span<const std::byte> noise);
[[nodiscard]] bool mac_holds(const MacKey& key, std::span<const std::byte> packet, std::span<const std::byte> noise,
                             const Mac& mac);

/// Makes and checks the cookies that prove an address without state at the server: each depends on the address, on the
/// ephemeral key of the Init, and on a secret that changes each minute. One of the minute before is valid, too.
class CookieJar {
  public:
    explicit CookieJar(const crypto::Key& secret) : secret_(secret) {}

    /// `ephemeral` is the start of the Noise message.
    [[nodiscard]] Cookie cookie(Instant now, const Address& source, std::span<const std::byte> ephemeral) const;
    [[nodiscard]] bool holds(Instant now, const Address& source, std::span<const std::byte> ephemeral,
                             const Cookie& cookie) const;

  private:
    crypto::SecretKey secret_;
};

/// The token with which the issuer of an id ends a connection that it does not know any more. `secret` outlives the
/// process if its connections should be ended after a restart.
ResetToken reset_token_of(const crypto::Key& secret, const Id& id);

/// Whether a Reset ends the connection whose packets go to `remote`, for which the peer has announced `token`. Compares
/// in constant time.
[[nodiscard]] bool ends_connection(const ResetPacket& packet, const Id& remote, const ResetToken& token);

}  // namespace ringpost::native
