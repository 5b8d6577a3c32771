#pragma once

// What the Noise messages of a handshake carry.
//
//     first, in an Init                          second, in a Response
//     0    8  wall clock of the client, ms       0    16  the header of the Response, which Noise does not cover
//     8   16  token of the client's id           16   16  token of the server's id
//     24      parameters                         32       parameters

#include <cstdint>
#include <expected>
#include <span>

#include "codec/native/packet.hpp"
#include "codec/native/parameters.hpp"

namespace ringpost::native {

struct FirstPayload {
    std::uint64_t clock_ms = 0;
    ResetToken reset_token{};
    Parameters parameters;
};

struct SecondPayload {
    std::array<std::byte, long_header_bytes> header{};
    ResetToken reset_token{};
    Parameters parameters;
};

inline constexpr std::size_t first_payload_bytes_max = 24 + parameters_bytes_max;
inline constexpr std::size_t second_payload_bytes_max = 32 + parameters_bytes_max;

/// Write to `out`, which must hold the longest, and return the size. `random` as for write_parameters().
std::size_t write_payload(std::span<std::byte> out, const FirstPayload& payload, std::uint32_t random);
std::size_t write_payload(std::span<std::byte> out, const SecondPayload& payload, std::uint32_t random);

/// A payload that ends within its fixed part is ParameterError::cut.
std::expected<FirstPayload, ParameterError> parse_first_payload(std::span<const std::byte> bytes);
std::expected<SecondPayload, ParameterError> parse_second_payload(std::span<const std::byte> bytes);

}  // namespace ringpost::native
