// A label separates the uses: no value of one use is a value of another.

#include "codec/native/secrets.hpp"

#include <algorithm>
#include <string_view>

#include <ringpost/bytes.hpp>
#include "codec/base/bytes.hpp"

namespace ringpost::native {
namespace {

constexpr std::string_view mac_public_label = "ringpost mac of a public key",
                           mac_shared_label = "ringpost mac of a psk";
constexpr std::string_view id_label = "ringpost key id", cookie_label = "ringpost cookie",
                           token_label = "ringpost reset";

template <class Array>
Array truncated(const crypto::Digest& digest) {
    Array out;
    std::copy_n(digest.begin(), out.size(), out.begin());
    return out;
}

MacKey labelled_mac_key(std::string_view label, const crypto::Key& key) {
    MacKey out;
    out.key = crypto::sha256({as_bytes(label), key});
    // Of the mac's key, not of the secret itself.
    out.id = truncated<KeyId>(crypto::sha256({as_bytes(id_label), out.key}));
    return out;
}

Cookie cookie_of_minute(const crypto::Key& secret, Instant minute, const Address& source,
                        std::span<const std::byte> ephemeral) {
    std::array<std::byte, 10> number;
    store_le(number.data(), static_cast<std::uint64_t>(minute));
    store_le(&number[8], source.port);
    const crypto::Key of_minute = crypto::hmac_sha256(secret, {as_bytes(cookie_label), std::span(number).first(8)});
    return truncated<Cookie>(
        crypto::hmac_sha256(of_minute, {std::as_bytes(std::span(source.ip)), std::span(number).subspan(8), ephemeral}));
}

Instant minute_of(Instant now) { return now / (60 * second); }

}  // namespace

MacKey mac_key_of_public(const crypto::Key& public_key) { return labelled_mac_key(mac_public_label, public_key); }
MacKey mac_key_of_shared(const crypto::Key& psk) { return labelled_mac_key(mac_shared_label, psk); }

MacKey mac_key_of(crypto::Pattern pattern, const crypto::Key& responder_public, const crypto::Key& psk) {
    return pattern == crypto::Pattern::nn_psk0 ? mac_key_of_shared(psk) : mac_key_of_public(responder_public);
}

Mac mac_of(const MacKey& key, std::span<const std::byte> packet, std::span<const std::byte> noise) {
    return truncated<Mac>(crypto::hmac_sha256(key.key, {packet.first(mac_covers_bytes), noise}));
}

bool mac_holds(const MacKey& key, std::span<const std::byte> packet, std::span<const std::byte> noise, const Mac& mac) {
    return crypto::equal_in_constant_time(mac_of(key, packet, noise), mac);
}

Cookie CookieJar::cookie(Instant now, const Address& source, std::span<const std::byte> ephemeral) const {
    return cookie_of_minute(secret_, minute_of(now), source, ephemeral);
}

bool CookieJar::holds(Instant now, const Address& source, std::span<const std::byte> ephemeral,
                      const Cookie& cookie) const {
    const auto is_of = [&](Instant minute) {
        return crypto::equal_in_constant_time(cookie_of_minute(secret_, minute, source, ephemeral), cookie);
    };
    return is_of(minute_of(now)) || is_of(minute_of(now) - 1);
}

ResetToken reset_token_of(const crypto::Key& secret, const Id& id) {
    return truncated<ResetToken>(
        crypto::hmac_sha256(secret, {as_bytes(token_label), std::as_bytes(std::span<const Id, 1>(&id, 1))}));
}

bool ends_connection(const ResetPacket& packet, const Id& remote, const ResetToken& token) {
    return packet.destination == remote && crypto::equal_in_constant_time(packet.token, token);
}

}  // namespace ringpost::native
