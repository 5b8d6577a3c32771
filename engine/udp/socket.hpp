#pragma once

#include <cstdint>
#include <string>

#include <ringpost/address.hpp>
#include <ringpost/error.hpp>

namespace ringpost {

struct SocketOptions {
    Address bind;             ///< port 0: the kernel chooses; a v6 wildcard also takes IPv4
    Address connect;          ///< Family::none: unconnected
    bool gro = true;          ///< receive trains (UDP_GRO), where the kernel can
    bool broadcast = false;   ///< may send to broadcast addresses (SO_BROADCAST)
    bool reuse_port = false;  ///< share the port with other sockets of this user (SO_REUSEPORT)
    /// Share the port with any socket that asks the same (SO_REUSEADDR): what goes to a multicast group reaches all of
    /// them, what goes to one address only the one that was bound last.
    bool reuse_address = false;
    /// Have the kernel note when it takes a datagram in (SO_TIMESTAMPING, by software): Received::stamped_at. The
    /// first few after the host's first such socket may come without.
    bool stamps = false;
    bool ecn = false;  ///< report the ECN field of received datagrams
    /// Asked for; the kernel may grant less (net.core.rmem_max, wmem_max).
    int receive_buffer_bytes = 4 << 20;
    int send_buffer_bytes = 4 << 20;
};

/// One UDP socket: owns its descriptor, closes it once. It hears the multicast groups that it has joined itself, on the
/// interface on which it has (not, as Linux would have it, those of every program on the host).
class UdpSocket {
  public:
    /// Errors name the step and the address: `bind 0.0.0.0:5005: Address already in use`.
    static Result<UdpSocket> open(const SocketOptions& options);

    UdpSocket(UdpSocket&& other) noexcept;
    UdpSocket& operator=(UdpSocket&& other) noexcept;
    ~UdpSocket();

    int fd() const { return fd_; }
    Family family() const { return family_; }
    const Address& local() const { return local_; }
    /// Family::none when unconnected.
    const Address& peer() const { return peer_; }
    bool gro() const { return gro_; }
    bool stamps() const { return stamps_; }
    /// Bound to all addresses: each datagram comes with the one it was sent to (IP_PKTINFO), and a reply can leave from
    /// there. On all other sockets that address is local().
    bool reports_local() const { return reports_local_; }
    /// Room that the control messages of one received datagram or train take.
    std::size_t control_bytes() const;

    /// Sends to `peer`, and hears it alone, from now on.
    Result<void> connect(const Address& peer);

    /// Joins or leaves a multicast group (RFC 1112, RFC 3678) on the interface of that name; "" lets the routes choose.
    Result<void> join(const Address& group, const std::string& interface);
    Result<void> leave(const Address& group, const std::string& interface);
    /// How multicast leaves: by which interface ("" lets the routes choose), how far, whether this host hears it too,
    /// and from which IPv4 address (any: the kernel chooses, which on loopback is 0.0.0.0).
    Result<void> send_multicast(const std::string& interface, int hops, bool loop, const Address& source = {});

    /// Datagrams dropped since the last call because the receive buffer was full (SO_MEMINFO; asked of the kernel, so
    /// it costs the receive path nothing and also counts drops that nothing has followed). Call it more often than
    /// every 2^32 drops.
    std::uint64_t new_drops();

  private:
    UdpSocket(int fd, Family family) : fd_(fd), family_(family) {}
    Result<void> configure(const SocketOptions& options);
    Result<void> learn_local();
    Result<void> membership(int option, const char* verb, const Address& group, const std::string& interface) const;

    int fd_ = -1;
    Family family_ = Family::none;
    Address local_, peer_;
    bool gro_ = false;
    bool stamps_ = false;
    bool ecn_ = false;
    bool reports_local_ = false;
    std::uint32_t drops_seen_ = 0;
};

/// 0.0.0.0 or :: with `port`: where a server listens when nobody said where. Dual-stack where the host has IPv6.
Address any_address(std::uint16_t port);

/// The local address from which datagrams to `target` leave; no traffic is made.
Result<Address> source_address_toward(const Address& target);

/// Most segments of one GSO train that this kernel takes: 128, 64, or 1 when it has no GSO. Asked once of the kernel by
/// sending a train on loopback to a socket of our own.
std::size_t kernel_train_segments();

}  // namespace ringpost
