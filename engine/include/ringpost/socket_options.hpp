#pragma once

#include <string>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/network.hpp>

namespace ringpost {

/// Options of a UDP socket.
struct SocketOptions {
    /// Port 0: chosen by the kernel. The IPv6 wildcard also accepts IPv4. open() waits up to a second for a port in
    /// use, unless the socket shares it (`reuse_address`): the sockets of a process just killed close a little later.
    Address bind{};
    Address connect{};  ///< Family::none: unconnected
    /// Use a duplicate of this UDP socket, which stays the caller's, instead of a new one; -1: none. If it is bound,
    /// `bind` is ignored. It must not be read meanwhile, and becomes non-blocking.
    int adopted = -1;
    bool gro = true;          ///< receive trains (UDP_GRO) if the kernel supports it
    bool broadcast = false;   ///< allow broadcast destinations (SO_BROADCAST)
    bool reuse_port = false;  ///< share the port with other sockets of this user (SO_REUSEPORT)
    /// Share the port with other sockets that set this (SO_REUSEADDR). All of them receive multicast; unicast goes to
    /// the one bound last.
    bool reuse_address = false;
    /// Software receive time stamps (SO_TIMESTAMPING), see Received::stamped_at. The first few datagrams after the
    /// host's first such socket may have none.
    bool stamps = false;
    /// With `stamps`: the network device whose hardware stamps them instead; "": none. It is made to stamp all that it
    /// receives, which needs CAP_NET_ADMIN. What arrives by another device has no stamp.
    std::string stamping_device{};  // NOLINT(readability-redundant-member-init)
    bool ecn = false;               ///< report the ECN field of received datagrams
    bool hop_limits = false;        ///< report the hop limit of received datagrams, see Received::hop_limit
    /// Receive only from these networks; empty: from all. Others are dropped (EngineCounters::not_allowed).
    /// The initializer avoids -Wmissing-field-initializers.
    std::vector<Subnet> allowed{};  // NOLINT(readability-redundant-member-init)
    /// Report ports, hosts and networks as unreachable (IP_RECVERR). Otherwise only a connected socket reports, and
    /// only a closed port. The owner calls discard_errors() after each error.
    bool reports_errors = false;
    /// Requested; the kernel may grant less (net.core.rmem_max, wmem_max).
    int receive_buffer_bytes = 4 << 20;
    int send_buffer_bytes = 4 << 20;
};

}  // namespace ringpost
