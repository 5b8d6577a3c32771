// Where the variables of a scenario are in replies. Nothing about a reply is assumed: each form checks what it reads.

#include <cstring>

#include "codec/base/bytes.hpp"
#include "codec/traffic/scenario.hpp"

namespace ringpost::traffic {
namespace {

using Bytes = std::span<const std::byte>;

/// Where `text` begins in `bytes`; nullopt if it does not. Linear in the size, also for a hostile reply.
std::optional<std::size_t> position_of(Bytes bytes, Bytes text) {
    if (bytes.size() < text.size()) return std::nullopt;
    const void* const found = memmem(bytes.data(), bytes.size(), text.data(), text.size());
    if (found == nullptr) return std::nullopt;
    return static_cast<std::size_t>(static_cast<const std::byte*>(found) - bytes.data());
}

/// The delta or the length of an option, which `nibble` begins; takes the bytes that extend it off `rest`.
std::optional<std::size_t> coap_extended(std::size_t nibble, Bytes& rest) {
    constexpr std::size_t one_more = 13, two_more = 14, reserved = 15;
    const std::size_t more = nibble == one_more ? 1 : nibble == two_more ? 2 : 0;
    if (nibble == reserved || rest.size() < more) return std::nullopt;
    std::size_t value = nibble;
    if (more == 1) value = static_cast<std::size_t>(rest[0]) + 13;
    if (more == 2) value = load_be<std::uint16_t>(rest.data()) + std::size_t{269};
    rest = rest.subspan(more);
    return value;
}

/// RFC 7252, 3 and 3.1. Nullopt if the message is malformed up to the option.
std::optional<Bytes> coap_option(Bytes message, std::size_t number) {
    constexpr std::size_t header_bytes = 4, token_bytes_max = 8, version_1 = 1, payload_marker = 0xff;
    if (message.size() < header_bytes) return std::nullopt;
    const std::size_t first = static_cast<std::size_t>(message[0]), token_bytes = first & 15;
    if (first >> 6 != version_1 || token_bytes > token_bytes_max || message.size() < header_bytes + token_bytes)
        return std::nullopt;
    Bytes rest = message.subspan(header_bytes + token_bytes);
    for (std::size_t option = 0; !rest.empty();) {
        const auto lead = static_cast<std::size_t>(rest[0]);
        if (lead == payload_marker) break;
        rest = rest.subspan(1);
        const auto delta = coap_extended(lead >> 4, rest);
        if (!delta) return std::nullopt;
        const auto length = coap_extended(lead & 15, rest);
        if (!length || *length > rest.size()) return std::nullopt;
        option += *delta;
        if (option > number) break;
        if (option == number) return rest.first(*length);
        rest = rest.subspan(*length);
    }
    return Bytes{};
}

}  // namespace

std::optional<std::span<const std::byte>> ScenarioTake::find(std::span<const std::byte> reply) const {
    std::optional<Bytes> found;
    switch (place) {
        case Place::offset:
            if (std::size_t{at} + bytes <= reply.size()) found = reply.subspan(at, bytes);
            break;
        case Place::texts: {
            const auto begin = position_of(reply, after);
            if (!begin) break;
            const Bytes rest = reply.subspan(*begin + after.size());
            if (up_to.empty())
                found = rest;
            else if (const auto end = position_of(rest, up_to))
                found = rest.first(*end);
            break;
        }
        case Place::coap_option: found = coap_option(reply, at); break;
    }
    if (found && found->size() > limits::scenario_variable_bytes_max) return std::nullopt;
    return found;
}

}  // namespace ringpost::traffic
