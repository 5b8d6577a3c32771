#include "codec/crypto/md5.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "codec/base/check.hpp"
#include "codec/crypto/octets.hpp"

namespace ringpost::crypto {
namespace {

bool md5_into(std::span<const std::byte> bytes, Md5Digest& out) {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    std::size_t written = 0;
    return EVP_Q_digest(nullptr, "MD5", nullptr, bytes.data(), bytes.size(), octets(out.data()), &written) == 1 &&
           written == out.size();
}

}  // namespace

bool has_md5() {
    Md5Digest digest;
    return md5_into({}, digest);
}

Md5Digest md5(std::span<const std::byte> bytes) {
    Md5Digest out;
    RINGPOST_CHECK(md5_into(bytes, out));
    return out;
}

Md5Digest hmac_md5(std::span<const std::byte> key, std::span<const std::byte> bytes) {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    Md5Digest out;
    std::size_t written = 0;
    RINGPOST_CHECK(EVP_Q_mac(nullptr, "HMAC", nullptr, "MD5", nullptr, key.data(), key.size(), octets(bytes.data()),
                             bytes.size(), octets(out.data()), out.size(), &written) != nullptr &&
                   written == out.size());
    return out;
}

}  // namespace ringpost::crypto
