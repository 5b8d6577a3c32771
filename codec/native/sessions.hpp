#pragma once

// Sessions of an application's own login. When a client has logged in elsewhere, such as over HTTPS, the application
// gives a token to it and to its server, and the client proves by the token that it is this session. In the handshake
// it is the shared secret of NNpsk0, which only these two have.

#include <cstdint>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "codec/base/lru_table.hpp"
#include "codec/crypto/noise.hpp"
#include "codec/native/limits.hpp"
#include "codec/native/secrets.hpp"

namespace ringpost::native {

enum class SessionRefusal : std::uint8_t {
    bad_id,       ///< empty, or longer than limits::native_name_bytes_max
    short_token,  ///< fewer bytes than limits::native_token_bytes_min
    in_use,       ///< there is a session with this id
    full,
};

/// The secret of a session: SHA-256 of a label, the id and the token.
std::expected<crypto::Key, SessionRefusal> session_secret(std::string_view id, std::span<const std::byte> token);

struct Session {
    std::string id;
    crypto::SecretKey secret{};
    MacKey mac_key{};
};

/// The sessions that a server accepts. Lookups are O(1), whatever strangers ask for. One thread.
class Sessions {
  public:
    /// `capacity`: sessions at most; 0 for none. `sip_key` is secret.
    Sessions(std::uint32_t capacity, const SipKey& sip_key);

    std::expected<void, SessionRefusal> add(std::string_view id, std::span<const std::byte> token);
    /// False: there is none with this id.
    bool remove(std::string_view id);
    /// The session of which an Init names the key; null: none. Valid until it is removed.
    [[nodiscard]] const Session* find(const KeyId& key) const { return by_key_.find(key); }

  private:
    std::uint32_t capacity_;
    LruTable<KeyId, Session> by_key_;  ///< never full, so nothing is evicted
    std::map<std::string, KeyId, std::less<>> keys_;
};

}  // namespace ringpost::native
