#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "apps/cli/multicast.hpp"
#include "apps/cli/options.hpp"
#include "codec/traffic/match.hpp"
#include "codec/traffic/sizes.hpp"
#include "engine/udp/sending.hpp"

namespace ringpost::apps {

/// The sockets of `load` and `latency`.
struct SenderOptions {
    std::string bind;                      ///< as given; "": chosen by the kernel
    Family family = Family::none;          ///< of --to, if it is a name
    SendingOptions socket;                 ///< the interface is that of --bind
    std::uint64_t sndbuf = 0, rcvbuf = 0;  ///< 0: the engine's default
    bool unfragmented() const { return socket.fragments == SendingOptions::Fragments::refused; }

    Address local;  ///< set by check_sender()
};

/// --bind, -4, -6, --dscp, --df, --sndbuf, --rcvbuf, --busy-poll. (--ttl is one of multicast, too.)
void add_sender(CLI::App& command, SenderOptions& options);
/// After parsing. `flows` are all of this process.
void check_sender(SenderOptions& options, std::uint32_t flows);

/// Resolves --to to the family of -4 or -6.
Address sender_target(const SenderOptions& options, const std::string& to, std::uint16_t default_port);

/// Opens a socket with these options, connected if `socket.connect` is given. A Failure names the option at fault.
Result<UdpSocket> open_sender(const SenderOptions& options, SocketOptions socket, const MulticastOptions& multicast);

/// Once, with the first socket: notes what the kernel did not grant, and that datagrams are fragmented. Their sizes are
/// those of the dialect's payloads, or without a dialect `sizes`. A Failure if not even the smallest fits into the
/// path's MTU and fragments are refused.
void note_socket(const SenderOptions& options, const UdpSocket& socket, const traffic::Dialect* dialect,
                 const traffic::Sizes& sizes, const std::function<void(const std::string&)>& notify);

}  // namespace ringpost::apps
