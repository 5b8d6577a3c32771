// libsodium's incremental functions, fed part by part. HKDF is HMAC three or four times: a temporary key of the
// chaining key and the material, then each output from that key, the output before it, and its index.

#include "codec/crypto/hash.hpp"

#include <sodium.h>

#include "codec/base/check.hpp"
#include "codec/crypto/octets.hpp"

namespace ringpost::crypto {

Digest sha256(std::initializer_list<std::span<const std::byte>> parts) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (const std::span<const std::byte> part : parts)
        crypto_hash_sha256_update(&state, octets(part.data()), part.size());
    Digest out;
    crypto_hash_sha256_final(&state, octets(out.data()));
    return out;
}

Digest hmac_sha256(std::span<const std::byte> key, std::initializer_list<std::span<const std::byte>> parts) {
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, octets(key.data()), key.size());
    for (const std::span<const std::byte> part : parts)
        crypto_auth_hmacsha256_update(&state, octets(part.data()), part.size());
    Digest out;
    crypto_auth_hmacsha256_final(&state, octets(out.data()));
    return out;
}

void hkdf(const Digest& chaining_key, std::span<const std::byte> material, std::initializer_list<Digest*> outputs) {
    Digest temporary = hmac_sha256(chaining_key, {material});
    std::span<const std::byte> previous;
    std::byte index{1};
    for (Digest* const output : outputs) {
        *output = hmac_sha256(temporary, {previous, {&index, 1}});
        previous = *output;
        index = static_cast<std::byte>(std::to_integer<int>(index) + 1);
    }
    wipe(temporary);
}

bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b) {
    RINGPOST_CHECK(a.size() == b.size());
    return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::span<std::byte> secret) { sodium_memzero(secret.data(), secret.size()); }

}  // namespace ringpost::crypto
