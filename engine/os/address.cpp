#include "engine/os/address.hpp"

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

Result<std::uint16_t> parse_port(std::string_view digits, std::string_view whole) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size() || port == 0)
        return std::unexpected(Error{EINVAL, fmt::format("{}: the port must be 1 to 65535", whole)});
    return port;
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

Result<Address> resolve(std::string_view host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* list = nullptr;
    const std::string name(host);
    const int failed = name.empty() ? EAI_NONAME : getaddrinfo(name.c_str(), nullptr, &hints, &list);
    if (failed != 0) return std::unexpected(Error{EHOSTUNREACH, fmt::format("{}: {}", host, gai_strerror(failed))});
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
    RINGPOST_CHECK(list != nullptr);  // guaranteed on success
    const addrinfo* chosen = list;
    for (const addrinfo* at = list; at != nullptr; at = at->ai_next)
        if (at->ai_family == AF_INET) {
            chosen = at;
            break;
        }
    Address address = from_socket_address(*chosen->ai_addr);
    address.port = port;
    return address;
}

Result<Address> resolve_host_port(std::string_view text) {
    std::string_view host;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find("]:");
        if (close == std::string_view::npos)
            return std::unexpected(Error{EINVAL, fmt::format("{}: expected [IPv6]:PORT", text)});
        host = text.substr(1, close - 1);
        port = text.substr(close + 2);
    } else {
        const auto colon = text.rfind(':');
        if (colon == std::string_view::npos || text.find(':') != colon)
            return std::unexpected(Error{EINVAL, fmt::format("{}: expected HOST:PORT or [IPv6]:PORT", text)});
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
    }
    if (host.empty()) return std::unexpected(Error{EINVAL, fmt::format("{}: the host is missing", text)});
    const auto number = parse_port(port, text);
    if (!number) return std::unexpected(number.error());
    return resolve(host, *number);
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
