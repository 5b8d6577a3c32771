#include "codec/traffic/radius.hpp"

#include <algorithm>
#include <vector>

#include "codec/crypto/md5.hpp"

namespace ringpost::traffic {

void RadiusSeal::apply(std::span<std::byte> request) const {
    constexpr std::size_t request_authenticator_at = 4, block_bytes = 16;
    const auto key = std::as_bytes(std::span(secret));
    if (password_at > 0) {
        std::span<const std::byte> before = request.subspan(request_authenticator_at, block_bytes);
        for (std::size_t at = 0; at < hidden_bytes(password.size()); at += block_bytes) {
            std::vector<std::byte> keyed(key.begin(), key.end());
            keyed.insert(keyed.end(), before.begin(), before.end());
            crypto::Md5Digest block = crypto::md5(keyed);
            for (std::size_t i = 0; i < block.size() && at + i < password.size(); ++i)
                block[i] ^= static_cast<std::byte>(password[at + i]);
            const auto value = request.subspan(password_at + at, block_bytes);
            std::ranges::copy(block, value.begin());
            before = value;
        }
    }
    if (authenticator_at == 0) return;
    const auto value = request.subspan(authenticator_at, sizeof(crypto::Md5Digest));
    std::ranges::fill(value, std::byte{});
    std::ranges::copy(crypto::hmac_md5(key, request), value.begin());
}

}  // namespace ringpost::traffic
