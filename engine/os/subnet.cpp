// IPv4 addresses are stored mapped (::ffff:a.b.c.d), so one comparison of 128 bits serves both families.

#include <ringpost/network.hpp>

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>

#include "engine/os/address.hpp"

namespace ringpost {
namespace {

using IpBytes = std::array<std::uint8_t, 16>;

constexpr unsigned mapped_bits = 96;

std::unexpected<Error> not_a_subnet(std::string why) { return std::unexpected(Error{EINVAL, std::move(why)}); }

/// An IPv4 or IPv6 literal; a mapped IPv4 address counts as IPv6.
std::optional<Address> parse_literal(const std::string& text) {
    Address out = Address::v4(0, 0, 0, 0, 0);
    if (inet_pton(AF_INET, text.c_str(), &out.ip[12]) == 1) return out;
    if (inet_pton(AF_INET6, text.c_str(), out.ip.data()) != 1) return std::nullopt;
    out.family = Family::v6;
    return out;
}

/// A whole number without sign and leading zeros.
std::optional<unsigned> parse_prefix(std::string_view digits) {
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    const bool whole = error == std::errc{} && end == digits.data() + digits.size();
    return whole && (digits.size() == 1 || digits[0] != '0') ? std::optional(bits) : std::nullopt;
}

/// `ip` with every bit after the first `bits` cleared.
IpBytes masked(IpBytes ip, unsigned bits) {
    for (unsigned i = 0; i < ip.size(); ++i) {
        const unsigned kept = std::clamp(bits, 8 * i, 8 * i + 8) - 8 * i;
        ip[i] = static_cast<std::uint8_t>(ip[i] & (0xff00u >> kept));
    }
    return ip;
}

}  // namespace

Result<Subnet> parse_subnet(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string host(text.substr(0, slash));
    if (host.find('%') != std::string::npos) return not_a_subnet("a network has no interface");
    auto first = parse_literal(host);
    if (!first || host.size() != std::strlen(host.c_str()))
        return not_a_subnet("expected an address or a network such as 10.0.0.0/8 or fd00::/8");
    const bool v4 = first->family == Family::v4;
    const unsigned bits_max = v4 ? 32 : 128;
    std::optional<unsigned> bits = bits_max;
    if (slash != std::string_view::npos) bits = parse_prefix(text.substr(slash + 1));
    if (!bits || *bits > bits_max) return not_a_subnet(fmt::format("the prefix must be 0 to {}", bits_max));
    if (const Address mapped = Address::v4(first->ip[12], first->ip[13], first->ip[14], first->ip[15], 0);
        !v4 && first->ip == mapped.ip) {
        if (*bits < mapped_bits) return not_a_subnet("an IPv4 network is written as 10.0.0.0/8");
        first = mapped;
    } else if (v4) {
        *bits += mapped_bits;
    }
    Subnet out{*first, static_cast<std::uint8_t>(*bits)};
    out.first.ip = masked(first->ip, *bits);
    if (out.first.ip != first->ip) {
        const unsigned written = first->family == Family::v4 ? *bits - mapped_bits : *bits;
        return not_a_subnet(
            fmt::format("has bits after its prefix; the network is {}/{}", ip_text(out.first), written));
    }
    return out;
}

bool contains(const Subnet& subnet, const Address& address) {
    return subnet.first.family == address.family && masked(address.ip, subnet.prefix_bits) == subnet.first.ip;
}

bool contains(std::span<const Subnet> subnets, const Address& address) {
    return std::ranges::any_of(subnets, [&](const Subnet& subnet) { return contains(subnet, address); });
}

}  // namespace ringpost
