#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace ringpost::traffic {

/// What a RADIUS request has that depends on its Request Authenticator (bytes 4 to 19).
struct RadiusSeal {
    std::string secret;
    std::string password;                ///< as given; "" for none
    std::uint16_t password_at = 0;       ///< of the value of User-Password (RFC 2865, 5.2)
    std::uint16_t authenticator_at = 0;  ///< of the value of Message-Authenticator (RFC 3579, 3.2); 0: none

    /// Bytes of the value of User-Password: a multiple of 16, at least 16.
    static constexpr std::size_t hidden_bytes(std::size_t password_bytes) {
        return password_bytes == 0 ? 16 : (password_bytes + 15) / 16 * 16;
    }
    /// Writes both values into a request that is otherwise complete.
    void apply(std::span<std::byte> request) const;
};

}  // namespace ringpost::traffic
