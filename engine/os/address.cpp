#include "engine/os/address.hpp"
#include "engine/os/links.hpp"
#include "engine/os/system_error.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <net/if.h>
#include <netdb.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "codec/base/check.hpp"

namespace ringpost {
namespace {

constexpr std::uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// Text for a message, with control characters as `\xNN`.
std::string visible(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f)
            out += fmt::format("\\x{:02x}", byte);
        else
            out += c;
    }
    return out.empty() ? "\"\"" : out;
}

std::unexpected<Error> malformed(std::string_view text, std::string_view why) {
    return std::unexpected(Error{EINVAL, fmt::format("{}: {}", visible(text), why)});
}

Result<std::uint16_t> parse_port(std::string_view digits, std::string_view whole) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty()) return malformed(whole, "the port is missing");
    if (error != std::errc{} || end != digits.data() + digits.size() || port == 0)
        return malformed(whole, "the port must be 1 to 65535");
    return port;
}

/// `fe80::1` of `fe80::1%eth0`.
std::string without_zone(std::string_view host) { return std::string(host.substr(0, host.find('%'))); }

bool is_v6_literal(std::string_view host) {
    in6_addr ignored;
    return inet_pton(AF_INET6, without_zone(host).c_str(), &ignored) == 1;
}

/// The index of an interface given by name or number; ENODEV if there is none.
Result<unsigned> scope_of(std::string_view whole, const std::string& zone) {
    if (const unsigned index = interface_index(zone); index != 0) return index;
    if (errno == EMFILE || errno == ENFILE) return std::unexpected(system_error(visible(whole), errno));
    unsigned index = 0;
    char name[IF_NAMESIZE];
    const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), index);
    const bool number = error == std::errc{} && end == zone.data() + zone.size();
    if (number && if_indextoname(index, name) != nullptr) return index;
    return std::unexpected(Error{ENODEV, fmt::format("{}: no interface named {}", visible(whole), visible(zone))});
}

/// The parts of HOST:PORT. `whole` is the text that messages name.
struct HostPort {
    std::string_view host, whole;
    std::uint16_t port = 0;
    Family family = Family::none;  ///< of names
};

/// The form in which the address would be given with an interface.
std::string with_interface(const HostPort& parts) {
    const bool bracketed = parts.whole.starts_with('[');
    return bracketed ? fmt::format("[{}%eth0]:{}", parts.host, parts.port) : fmt::format("{}%eth0", parts.host);
}

Result<Address> resolve_v6_literal(const HostPort& parts) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(parts.port);
    inet_pton(AF_INET6, without_zone(parts.host).c_str(), &v6.sin6_addr);
    const bool unicast = IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr);
    const bool has_zone = parts.host.find('%') != std::string_view::npos;
    if (unicast && !has_zone)
        return malformed(parts.whole,
                         fmt::format("a link-local address needs its interface: {}", with_interface(parts)));
    if (has_zone) {
        const std::string zone(parts.host.substr(parts.host.find('%') + 1));
        const bool group = IN6_IS_ADDR_MC_LINKLOCAL(&v6.sin6_addr) || IN6_IS_ADDR_MC_NODELOCAL(&v6.sin6_addr);
        if (!unicast && !group) return malformed(parts.whole, "only a link-local address has an interface");
        if (zone.empty()) return malformed(parts.whole, "the interface is missing");
        const auto index = scope_of(parts.whole, zone);
        if (!index) return std::unexpected(index.error());
        v6.sin6_scope_id = *index;
    }
    SocketAddress address;
    address.v6 = v6;
    return from_socket_address(address.any);
}

Result<Address> resolve_v4_literal(const HostPort& parts) {
    in_addr v4;
    if (inet_pton(AF_INET, std::string(parts.host).c_str(), &v4) != 1)
        return malformed(parts.whole, "is not an IPv4 address");
    std::uint8_t bytes[4];
    std::memcpy(bytes, &v4, sizeof bytes);
    return Address::v4(bytes[0], bytes[1], bytes[2], bytes[3], parts.port);
}

bool may_be_name(std::string_view host) {
    return host.find_first_of("!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~") == std::string_view::npos && visible(host) == host &&
           host.find(' ') == std::string_view::npos;
}

Result<Address> resolve_name(const HostPort& parts) {
    addrinfo hints{};
    hints.ai_family = parts.family == Family::none ? AF_UNSPEC : parts.family == Family::v4 ? AF_INET : AF_INET6;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* list = nullptr;
    errno = 0;
    const int failed = getaddrinfo(std::string(parts.host).c_str(), nullptr, &hints, &list);
    // Without a descriptor it can read neither its files nor the network, and reports that there is no such name.
    if (failed != 0 && (errno == EMFILE || errno == ENFILE))
        return std::unexpected(system_error(std::string(parts.whole), errno));
    if (failed != 0)
        return std::unexpected(Error{
            EHOSTUNREACH,
            fmt::format("{}: {}", parts.whole, failed == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(failed))});
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
    RINGPOST_CHECK(list != nullptr);  // guaranteed on success
    const addrinfo* chosen = list;
    for (const addrinfo* at = list; at != nullptr; at = at->ai_next)
        if (at->ai_family == AF_INET) {
            chosen = at;
            break;
        }
    Address address = from_socket_address(*chosen->ai_addr);
    address.port = parts.port;
    return address;
}

Result<Address> resolve_parts(const HostPort& parts) {
    if (parts.host.empty()) return malformed(parts.whole, "the host is missing");
    if (is_v6_literal(parts.host)) return resolve_v6_literal(parts);
    // A name that ends in a number does not exist; getaddrinfo(3) would read 1.2 as 1.0.0.2 and 010 as 8.
    if (parts.host.find_first_not_of("0123456789.") == std::string_view::npos) return resolve_v4_literal(parts);
    if (!may_be_name(parts.host)) return malformed(parts.whole, "is neither an address nor a host name");
    return resolve_name(parts);
}

/// Why a text without brackets and with more than one colon is not HOST:PORT.
std::unexpected<Error> needs_brackets(std::string_view text) {
    const auto colon = text.rfind(':');
    const std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
    if (is_v6_literal(host) && parse_port(port, text))
        return malformed(text, fmt::format("an IPv6 address needs brackets: [{}]:{}", host, port));
    if (is_v6_literal(text))
        return malformed(text, fmt::format("an IPv6 address needs brackets and a port: [{}]:PORT", text));
    return malformed(text, "expected HOST:PORT or [IPv6]:PORT");
}

}  // namespace

socklen_t to_socket_address(const Address& address, Family socket_family, SocketAddress& out) {
    if (socket_family == Family::v4) {
        out.v4 = {};
        out.v4.sin_family = AF_INET;
        out.v4.sin_port = htons(address.port);
        std::memcpy(&out.v4.sin_addr, &address.ip[12], 4);
        return sizeof out.v4;
    }
    out.v6 = {};
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(address.port);
    out.v6.sin6_scope_id = address.scope;
    std::memcpy(&out.v6.sin6_addr, address.ip.data(), 16);
    return sizeof out.v6;
}

Address from_socket_address(const sockaddr& in) {
    Address out;
    if (in.sa_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, &in, sizeof v4);
        std::memcpy(out.ip.data(), mapped_prefix, sizeof mapped_prefix);
        std::memcpy(&out.ip[12], &v4.sin_addr, 4);
        out.port = ntohs(v4.sin_port);
        out.family = Family::v4;
    } else if (in.sa_family == AF_INET6) {
        sockaddr_in6 v6;
        std::memcpy(&v6, &in, sizeof v6);
        std::memcpy(out.ip.data(), &v6.sin6_addr, 16);
        out.port = ntohs(v6.sin6_port);
        const bool mapped = std::memcmp(out.ip.data(), mapped_prefix, sizeof mapped_prefix) == 0;
        out.family = mapped ? Family::v4 : Family::v6;
        out.scope = mapped ? 0 : v6.sin6_scope_id;
    }
    return out;
}

std::string ip_text(const Address& address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address.family == Family::v4) {
        inet_ntop(AF_INET, &address.ip[12], text, sizeof text);
        return text;
    }
    inet_ntop(AF_INET6, address.ip.data(), text, sizeof text);
    char interface[IF_NAMESIZE];
    if (address.scope == 0) return text;
    if (if_indextoname(address.scope, interface) == nullptr) return fmt::format("{}%{}", text, address.scope);
    return fmt::format("{}%{}", text, interface);
}

std::string to_text(const Address& address) {
    if (address.family == Family::v6) return fmt::format("[{}]:{}", ip_text(address), address.port);
    return fmt::format("{}:{}", ip_text(address), address.port);
}

Result<Address> resolve(std::string_view host, std::uint16_t port) { return resolve(host, port, Family::none); }

Result<Address> resolve(std::string_view host, std::uint16_t port, Family family) {
    return resolve_parts({host, host, port, family});
}

Result<Address> resolve_host_port(std::string_view text) { return resolve_host_port(text, Family::none); }

Result<Address> resolve_host_port(std::string_view text, Family family) {
    HostPort parts{{}, text, 0, family};
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return malformed(text, "the bracket is not closed; expected [IPv6]:PORT");
        parts.host = text.substr(1, close - 1);
        port = text.substr(close + 1);
        if (port.empty()) return malformed(text, "the port is missing; expected [IPv6]:PORT");
        if (!port.starts_with(':')) return malformed(text, "expected [IPv6]:PORT");
        port.remove_prefix(1);
    } else {
        const auto colon = text.find(':');
        if (colon == std::string_view::npos) return malformed(text, "the port is missing; expected HOST:PORT");
        if (text.find(':', colon + 1) != std::string_view::npos) return needs_brackets(text);
        parts.host = text.substr(0, colon);
        port = text.substr(colon + 1);
    }
    if (parts.host.empty()) return malformed(text, "the host is missing");
    const auto number = parse_port(port, text);
    if (!number) return std::unexpected(number.error());
    parts.port = *number;
    return resolve_parts(parts);
}

bool needs_interface(const Address& address) {
    if (address.family != Family::v6 || address.scope != 0) return false;
    in6_addr v6;
    std::memcpy(&v6, address.ip.data(), sizeof v6);
    return IN6_IS_ADDR_LINKLOCAL(&v6) || IN6_IS_ADDR_MC_LINKLOCAL(&v6) || IN6_IS_ADDR_MC_NODELOCAL(&v6);
}

bool is_any(const Address& address) {
    return address.ip == Address{}.ip || address.ip == Address::v4(0, 0, 0, 0, 0).ip;
}

bool is_loopback(const Address& address) {
    if (address.family == Family::v4) return address.ip[12] == 127;
    in6_addr v6;
    std::memcpy(&v6, address.ip.data(), sizeof v6);
    return IN6_IS_ADDR_LOOPBACK(&v6);
}

bool is_multicast(const Address& address) {
    return address.family == Family::v4 ? address.ip[12] >> 4 == 0xe : address.ip[0] == 0xff;
}

bool is_private_network(const Address& address) {
    if (is_loopback(address)) return true;
    const auto& ip = address.ip;
    if (address.family == Family::v4)
        return ip[12] == 10 || (ip[12] == 172 && (ip[13] & 0xf0) == 16) || (ip[12] == 192 && ip[13] == 168) ||
               (ip[12] == 169 && ip[13] == 254);
    const bool unique_local = (ip[0] & 0xfe) == 0xfc;
    const bool link_local = ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
    return unique_local || link_local;
}

}  // namespace ringpost
