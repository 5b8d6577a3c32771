// A fixed part at the offsets of the table in payload.hpp, then the parameters.

#include "codec/native/payload.hpp"

#include <cstring>

#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"

namespace ringpost::native {
namespace {

constexpr std::size_t first_token_at = 8, first_parameters_at = 24;
constexpr std::size_t second_token_at = 16, second_parameters_at = 32;
static_assert(second_token_at == long_header_bytes);

}  // namespace

std::size_t write_payload(std::span<std::byte> out, const FirstPayload& payload, std::uint32_t random) {
    RINGPOST_CHECK(out.size() >= first_payload_bytes_max);
    store_le(out.data(), payload.clock_ms);
    std::memcpy(&out[first_token_at], payload.reset_token.data(), payload.reset_token.size());
    return first_parameters_at + write_parameters(out.subspan(first_parameters_at), payload.parameters, random);
}

std::size_t write_payload(std::span<std::byte> out, const SecondPayload& payload, std::uint32_t random) {
    RINGPOST_CHECK(out.size() >= second_payload_bytes_max);
    std::memcpy(out.data(), payload.header.data(), payload.header.size());
    std::memcpy(&out[second_token_at], payload.reset_token.data(), payload.reset_token.size());
    return second_parameters_at + write_parameters(out.subspan(second_parameters_at), payload.parameters, random);
}

std::expected<FirstPayload, ParameterError> parse_first_payload(std::span<const std::byte> bytes) {
    if (bytes.size() < first_parameters_at) return std::unexpected(ParameterError::cut);
    const auto parameters = parse_parameters(bytes.subspan(first_parameters_at));
    if (!parameters) return std::unexpected(parameters.error());
    FirstPayload out{load_le<std::uint64_t>(bytes.data()), {}, *parameters};
    std::memcpy(out.reset_token.data(), &bytes[first_token_at], out.reset_token.size());
    return out;
}

std::expected<SecondPayload, ParameterError> parse_second_payload(std::span<const std::byte> bytes) {
    if (bytes.size() < second_parameters_at) return std::unexpected(ParameterError::cut);
    const auto parameters = parse_parameters(bytes.subspan(second_parameters_at));
    if (!parameters) return std::unexpected(parameters.error());
    SecondPayload out{{}, {}, *parameters};
    std::memcpy(out.header.data(), bytes.data(), out.header.size());
    std::memcpy(out.reset_token.data(), &bytes[second_token_at], out.reset_token.size());
    return out;
}

}  // namespace ringpost::native
