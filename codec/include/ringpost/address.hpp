#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <type_traits>

namespace ringpost {

enum class Family : std::uint16_t { none = 0, v4 = 4, v6 = 6 };

/// An IP address and UDP port as plain bytes without padding, so that it can be compared and hashed as raw memory. The
/// alignment makes copies move whole words. A default-constructed Address means "none"; as the destination of a
/// Transmit it selects the socket's connected peer.
struct alignas(8) Address {
    std::array<std::uint8_t, 16> ip{};  ///< network byte order; IPv4 is stored as mapped into IPv6 (RFC 4291,
                                        ///< 2.5.5.2)
    std::uint32_t scope = 0;            ///< interface index of a link-local IPv6 address, else 0
    std::uint16_t port = 0;             ///< host byte order
    Family family = Family::none;

    bool operator==(const Address& other) const {
        // Compares three words; the defaulted operator would compare byte by byte.
        using Words = std::array<std::uint64_t, 3>;
        const auto a = std::bit_cast<Words>(*this), b = std::bit_cast<Words>(other);
        return a == b;
    }

    static constexpr Address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port) {
        Address out;
        out.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
        out.port = port;
        out.family = Family::v4;
        return out;
    }
};

static_assert(std::has_unique_object_representations_v<Address>);

}  // namespace ringpost
