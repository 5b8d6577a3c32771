// AES-256-GCM and ChaCha20-Poly1305 by libsodium: a third opinion for tests, and the choice where nothing else has a
// suite. Its AES-256-GCM needs the processor's AES instructions; it refuses to run without.

#include <sodium.h>

#include "codec/base/check.hpp"
#include "codec/crypto/aead_implementation.hpp"

namespace ringpost::crypto {
namespace {

// The library seals into a message and a tag, which here are behind each other, as it writes them.
class SodiumGcm {
  public:
    SodiumGcm() = default;
    ~SodiumGcm() { sodium_memzero(&state_, sizeof state_); }
    SodiumGcm(const SodiumGcm&) = delete;

    void expand(const Key& key) { crypto_aead_aes256gcm_beforenm(&state_, octets(key.data())); }
    void seal(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
        const Nonce nonce = gcm_nonce(number);
        crypto_aead_aes256gcm_encrypt_afternm(octets(text.data()), nullptr, octets(text.data()),
                                              text.size() - tag_bytes_max, octets(associated.data()), associated.size(),
                                              nullptr, octets(nonce.data()), &state_);
    }
    bool open(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
        const Nonce nonce = gcm_nonce(number);
        return crypto_aead_aes256gcm_decrypt_afternm(octets(text.data()), nullptr, nullptr, octets(text.data()),
                                                     text.size(), octets(associated.data()), associated.size(),
                                                     octets(nonce.data()), &state_) == 0;
    }

  private:
    crypto_aead_aes256gcm_state state_;
};

class SodiumChacha {
  public:
    SodiumChacha() = default;
    ~SodiumChacha() { sodium_memzero(key_.data(), key_.size()); }
    SodiumChacha(const SodiumChacha&) = delete;

    void expand(const Key& key) { key_ = key; }
    void seal(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
        const Nonce nonce = chacha_nonce(number);
        crypto_aead_chacha20poly1305_ietf_encrypt(
            octets(text.data()), nullptr, octets(text.data()), text.size() - tag_bytes_max, octets(associated.data()),
            associated.size(), nullptr, octets(nonce.data()), octets(key_.data()));
    }
    bool open(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
        const Nonce nonce = chacha_nonce(number);
        return crypto_aead_chacha20poly1305_ietf_decrypt(octets(text.data()), nullptr, nullptr, octets(text.data()),
                                                         text.size(), octets(associated.data()), associated.size(),
                                                         octets(nonce.data()), octets(key_.data())) == 0;
    }

  private:
    Key key_;
};

}  // namespace

FoundAead sodium_gcm() {
    RINGPOST_CHECK(sodium_init() >= 0);
    if (crypto_aead_aes256gcm_is_available() != 1) return std::nullopt;
    return aead_of<SodiumGcm>("sodium", Suite::aes256_gcm, tag_bytes_max);
}

FoundAead sodium_chacha() {
    RINGPOST_CHECK(sodium_init() >= 0);
    return aead_of<SodiumChacha>("sodium", Suite::chacha20_poly1305, tag_bytes_max);
}

}  // namespace ringpost::crypto
