#include "apps/measuring/sender_options.hpp"

#include <fmt/core.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

/// RFC 2474, RFC 2597, RFC 3246, RFC 8622.
std::optional<std::uint8_t> parse_dscp(const std::string& text) {
    struct Class {
        std::string_view name;
        std::uint8_t value;
    };
    static constexpr Class classes[] = {
        {"cs0", 0},   {"le", 1},    {"cs1", 8},  {"af11", 10}, {"af12", 12}, {"af13", 14}, {"cs2", 16}, {"af21", 18},
        {"af22", 20}, {"af23", 22}, {"cs3", 24}, {"af31", 26}, {"af32", 28}, {"af33", 30}, {"cs4", 32}, {"af41", 34},
        {"af42", 36}, {"af43", 38}, {"cs5", 40}, {"ef", 46},   {"cs6", 48},  {"cs7", 56}};
    for (const Class& known : classes)
        if (known.name == text) return known.value;
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos)
        throw std::invalid_argument("expected 0 to 63, or a name such as ef, af41 or cs1");
    return static_cast<std::uint8_t>(parse_whole(text, 0, 63));
}

std::uint64_t parse_buffer(const std::string& text) {
    const std::uint64_t bytes = parse_byte_count(text);
    if (bytes > INT_MAX / 2) throw std::invalid_argument("is more than 1G");
    return bytes;
}

Duration parse_busy_poll(const std::string& text) {
    const Duration time = parse_duration(text);
    if (time < microsecond || time > second) throw std::invalid_argument("expected 1us to 1s");
    return time;
}

[[noreturn]] void refuse_bind(const std::string& text, const std::string& why) {
    throw Failure(Exit::usage, fmt::format("--bind {}: {}", shown_value(text), why));
}

/// ADDRESS, ADDRESS:PORT, and %INTERFACE behind either; a link-local IPv6 address has its interface as everywhere.
std::pair<Address, std::string> parse_bind(const std::string& text) {
    const std::size_t bracket = text.rfind(']'), percent = text.rfind('%');
    std::string address = text, interface;
    if (percent != std::string::npos && (bracket == std::string::npos || percent > bracket)) {
        address = text.substr(0, percent);
        interface = text.substr(percent + 1);
        if (interface.empty() || interface.find_first_of(":[]") != std::string::npos)
            refuse_bind(text, "the interface is missing");
        if (if_nametoindex(interface.c_str()) == 0) refuse_bind(text, "no interface has this name");
        if (address.empty()) return {{}, interface};
        if (address.starts_with("fe80:")) address = text;  // without brackets
    }
    const bool bracketed = address.starts_with('[');
    const bool with_port = bracketed ? !address.ends_with(']') : std::ranges::count(address, ':') == 1;
    if (bracketed && !with_port) address = address.substr(1, address.size() - 2);
    const auto resolved = with_port ? resolve_host_port(address) : resolve(address, 0);
    if (!resolved) refuse_bind(text, resolved.error().text);
    return {*resolved, interface};
}

const char* option_at_fault(const std::string& step) {
    if (step.find("IP_TOS") != std::string::npos) return "--dscp";
    if (step.find("IP_TTL") != std::string::npos) return "--ttl";
    if (step.find("SO_BUSY_POLL") != std::string::npos) return "--busy-poll";
    if (step.find("SO_BINDTODEVICE") != std::string::npos) return "--bind";
    return "--df";
}

void note_buffer(const char* option, std::uint64_t asked, int granted,
                 const std::function<void(const std::string&)>& notify) {
    if (asked == 0 || static_cast<std::uint64_t>(granted) >= asked) return;
    notify(fmt::format("{}: the kernel grants {} of {} bytes (sysctl net.core.{})", option, granted, asked,
                       std::strcmp(option, "--sndbuf") == 0 ? "wmem_max" : "rmem_max"));
}

}  // namespace

void add_sender(CLI::App& command, SenderOptions& options) {
    begin_group(command, "Sockets");
    command
        .add_option("--bind", options.bind,
                    "source address, port and interface: 10.0.0.7, 10.0.0.7:5000, [fd00::1]:5000, 10.0.0.7%eth1, "
                    "%eth1 (default by the routing table)")
        ->type_name("ADDRESS[:PORT][%INTERFACE]");
    auto* v4 = command.add_flag_callback(
        "-4,--ipv4", [&options] { options.family = Family::v4; },
        "resolve the name of --to to an IPv4 address (default IPv4 if it has one)");
    command
        .add_flag_callback(
            "-6,--ipv6", [&options] { options.family = Family::v6; },
            "resolve the name of --to to an IPv6 address (default IPv4 if it has one)")
        ->excludes(v4);
    add_parsed(command, "--dscp", options.socket.dscp, parse_dscp,
               "differentiated services field, 0 to 63 or a name: ef, af41, cs1, le (default 0)")
        ->type_name("CLASS");
    command.add_flag_callback(
        "--df", [&options] { options.socket.fragments = SendingOptions::Fragments::refused; },
        "do not fragment: what exceeds the path's MTU is refused (default fragments)");
    add_parsed(command, "--sndbuf", options.sndbuf, parse_buffer, "send buffer of each socket in bytes (default 4M)")
        ->type_name("BYTES");
    add_parsed(command, "--rcvbuf", options.rcvbuf, parse_buffer, "receive buffer of each socket in bytes (default 4M)")
        ->type_name("BYTES");
    add_parsed(command, "--busy-poll", options.socket.busy_poll, parse_busy_poll,
               "time to busy-poll the device for replies, 1us to 1s; SO_BUSY_POLL (default by the kernel)");
}

void check_sender(SenderOptions& options, std::uint32_t flows) {
    if (options.bind.empty()) return;
    std::tie(options.local, options.socket.interface) = parse_bind(options.bind);
    if (options.local.port != 0 && flows > 1)
        refuse_bind(options.bind, fmt::format("{} flows need a port each", flows));
}

Address sender_target(const SenderOptions& options, const std::string& to, std::uint16_t default_port) {
    const Address target = target_address(to, default_port, options.family);
    if (options.family != Family::none && target.family != options.family)
        throw Failure(Exit::usage, fmt::format("{}: --to {} is not of this family",
                                               options.family == Family::v4 ? "-4" : "-6", to_text(target)));
    if (options.local.family != Family::none && options.local.family != target.family)
        refuse_bind(options.bind, fmt::format("--to {} is of the other family", to_text(target)));
    return target;
}

Result<UdpSocket> open_sender(const SenderOptions& options, SocketOptions socket, const MulticastOptions& multicast) {
    if (options.local.family != Family::none) socket.bind = options.local;
    if (options.sndbuf > 0) socket.send_buffer_bytes = static_cast<int>(options.sndbuf);
    if (options.rcvbuf > 0) socket.receive_buffer_bytes = static_cast<int>(options.rcvbuf);
    SendingOptions sending = options.socket;
    if (multicast.ttl) sending.hop_limit = static_cast<std::uint8_t>(*multicast.ttl);
    const Address peer = socket.connect;
    const bool late = !sending.interface.empty() && peer.family != Family::none;
    if (late) {
        socket.connect = {};
        if (socket.bind.family == Family::none)
            socket.bind = peer.family == Family::v4 ? Address::v4(0, 0, 0, 0, 0) : any_address(0);
    }
    auto opened = socket.connect.family == Family::none ? UdpSocket::open(socket) : open_connected(socket, multicast);
    if (!opened) {
        if (options.local.family != Family::none && opened.error().text.starts_with("bind "))
            refuse_bind(options.bind, std::strerror(opened.error().code));
        return opened;
    }
    if (const auto set = set_sending(*opened, sending); !set) {
        const char* option = option_at_fault(set.error().text);
        throw Failure(Exit::failed, fmt::format("{}: {}", option, set.error().text));
    }
    if (!late) return opened;
    set_multicast(*opened, peer, multicast);
    if (const auto connected = opened->connect(peer); !connected) return std::unexpected(connected.error());
    return opened;
}

void note_socket(const SenderOptions& options, const UdpSocket& socket, const traffic::Dialect* dialect,
                 const traffic::Sizes& sizes, const std::function<void(const std::string&)>& notify) {
    const std::size_t smallest = dialect != nullptr ? dialect->payload.bytes_min() : sizes.smallest();
    const std::size_t largest = dialect != nullptr ? dialect->payload.bytes_max() : sizes.largest();
    const BufferSizes granted = buffer_sizes(socket);
    note_buffer("--sndbuf", options.sndbuf, granted.send, notify);
    note_buffer("--rcvbuf", options.rcvbuf, granted.receive, notify);
    const auto mtu = path_mtu(socket);
    const std::size_t headers = headers_bytes(socket.peer().family);
    if (!mtu || largest + headers <= *mtu) return;
    const std::string fits = fmt::format("the path's MTU of {} has room for {} bytes", *mtu, *mtu - headers);
    if (!options.unfragmented())
        notify(fmt::format("datagrams of {} bytes leave in fragments: {}", largest, fits));
    else if (smallest + headers > *mtu)
        throw Failure(Exit::failed, fmt::format("--df: datagrams of {} bytes are too large: {}", smallest, fits));
    else
        notify(fmt::format("--df: datagrams of up to {} bytes, some of them too large: {}", largest, fits));
}

}  // namespace ringpost::apps
