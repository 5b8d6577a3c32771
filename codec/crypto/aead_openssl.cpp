// AES-256-GCM and ChaCha20-Poly1305 by OpenSSL's EVP interface.
//
// A key keeps one context, which holds the expanded key; a packet only sets the nonce. The direction is set with it:
// both modes expand the key for encryption alone, so the context serves both. The ciphers are fetched once: looking one
// up by name takes longer than sealing a packet. OpenSSL reads no configuration file: codec opens no files.

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <memory>

#include "codec/base/allocated.hpp"
#include "codec/base/check.hpp"
#include "codec/crypto/aead_implementation.hpp"

namespace ringpost::crypto {
namespace {

enum class EvpDirection : int { open = 0, seal = 1 };

const EVP_CIPHER* fetched(const char* name) {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    return EVP_CIPHER_fetch(nullptr, name, nullptr);
}

struct EvpGcm {
    static const EVP_CIPHER* cipher() {
        static const EVP_CIPHER* const found = fetched("AES-256-GCM");
        return found;
    }
    static Nonce nonce(std::uint64_t number) { return gcm_nonce(number); }
};

struct EvpChacha {
    static const EVP_CIPHER* cipher() {
        static const EVP_CIPHER* const found = fetched("ChaCha20-Poly1305");
        return found;
    }
    static Nonce nonce(std::uint64_t number) { return chacha_nonce(number); }
};

struct FreeEvpContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

template <class Cipher>
class EvpKey {
  public:
    EvpKey() : context_(allocated(EVP_CIPHER_CTX_new)) {}

    // The cipher is named only once: naming it again would allocate.
    void expand(const Key& key) {
        const EVP_CIPHER* cipher = EVP_CIPHER_CTX_get0_cipher(context_.get()) == nullptr ? Cipher::cipher() : nullptr;
        RINGPOST_CHECK(EVP_EncryptInit_ex(context_.get(), cipher, nullptr, octets(key.data()), nullptr) == 1);
    }

    // A seal of a packet within the limits cannot fail, so a failure is a mistake of ours.
    void seal(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
        const auto plain = text.first(text.size() - tag_bytes_max);
        const bool done =
            begin(EvpDirection::seal, associated, number) && update(plain) && finish() &&
            EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes_max, plain.data() + plain.size()) == 1;
        RINGPOST_CHECK(done);
    }
    bool open(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
        const auto sealed = text.first(text.size() - tag_bytes_max);
        return begin(EvpDirection::open, associated, number) &&
               EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, tag_bytes_max,
                                   sealed.data() + sealed.size()) == 1 &&
               update(sealed) && finish();
    }

  private:
    bool begin(EvpDirection direction, std::span<const std::byte> associated, std::uint64_t number) {
        const Nonce nonce = Cipher::nonce(number);
        if (EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, octets(nonce.data()),
                              static_cast<int>(direction)) != 1)
            return false;
        int length = 0;
        return associated.empty() || EVP_CipherUpdate(context_.get(), nullptr, &length, octets(associated.data()),
                                                      static_cast<int>(associated.size())) == 1;
    }
    bool update(std::span<std::byte> text) {
        int length = 0;
        return text.empty() || EVP_CipherUpdate(context_.get(), octets(text.data()), &length, octets(text.data()),
                                                static_cast<int>(text.size())) == 1;
    }
    bool finish() {
        unsigned char none[tag_bytes_max];
        int length = 0;
        return EVP_CipherFinal_ex(context_.get(), none, &length) == 1;
    }

    std::unique_ptr<EVP_CIPHER_CTX, FreeEvpContext> context_;
};

}  // namespace

FoundAead openssl_gcm() {
    if (EvpGcm::cipher() == nullptr) return std::nullopt;
    return aead_of<EvpKey<EvpGcm>>("openssl", Suite::aes256_gcm, tag_bytes_max);
}

FoundAead openssl_chacha() {
    if (EvpChacha::cipher() == nullptr) return std::nullopt;
    return aead_of<EvpKey<EvpChacha>>("openssl", Suite::chacha20_poly1305, tag_bytes_max);
}

}  // namespace ringpost::crypto
