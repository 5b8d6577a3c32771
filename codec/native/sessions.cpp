#include "codec/native/sessions.hpp"

#include <algorithm>
#include <bit>

#include <ringpost/bytes.hpp>
#include "codec/crypto/hash.hpp"

namespace ringpost::native {

std::expected<crypto::Key, SessionRefusal> session_secret(std::string_view id, std::span<const std::byte> token) {
    if (id.empty() || id.size() > limits::native_name_bytes_max) return std::unexpected(SessionRefusal::bad_id);
    if (token.size() < limits::native_token_bytes_min) return std::unexpected(SessionRefusal::short_token);
    const std::byte length[] = {static_cast<std::byte>(id.size())};
    return crypto::sha256({as_bytes("ringpost session"), length, as_bytes(id), token});
}

Sessions::Sessions(std::uint32_t capacity, const SipKey& sip_key)
    : capacity_(capacity), by_key_(std::bit_ceil(std::max(capacity, 1u)), sip_key) {}

std::expected<void, SessionRefusal> Sessions::add(std::string_view id, std::span<const std::byte> token) {
    const auto secret = session_secret(id, token);
    if (!secret) return std::unexpected(secret.error());
    if (keys_.contains(id)) return std::unexpected(SessionRefusal::in_use);
    if (keys_.size() == capacity_) return std::unexpected(SessionRefusal::full);
    const MacKey mac_key = mac_key_of_shared(*secret);
    by_key_.touch(mac_key.id) = {std::string(id), *secret, mac_key};
    keys_.emplace(id, mac_key.id);
    return {};
}

bool Sessions::remove(std::string_view id) {
    const auto found = keys_.find(id);
    if (found == keys_.end()) return false;
    by_key_.erase(found->second);
    keys_.erase(found);
    return true;
}

}  // namespace ringpost::native
