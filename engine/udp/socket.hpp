#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/error.hpp>
#include <ringpost/network.hpp>
#include <ringpost/socket_options.hpp>
#include "engine/os/device_clock.hpp"

namespace ringpost {

/// Multicast datagrams that this socket sends: `on` also delivers them to members on this host (IP_MULTICAST_LOOP).
enum class MulticastLoop : std::uint8_t { off, on };

/// A UDP socket; owns its descriptor. Receives only the multicast groups that it joined itself, on the interface on
/// which it joined them (IP_MULTICAST_ALL off; the Linux default is every group joined on the host).
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
    /// Of SocketOptions::stamping_device; null without.
    DeviceClock* device_clock() const { return device_clock_.get(); }
    bool reports_errors() const { return reports_errors_; }
    /// Empties the error queue of a socket that reports errors: until then it is always readable.
    void discard_errors() const;
    /// True if bound to a wildcard address: each datagram is received with its local address (IP_PKTINFO), and replies
    /// can be sent from there. Otherwise the local address is always local().
    bool reports_local() const { return reports_local_; }
    /// Whether SocketOptions::allowed permits this source.
    bool allows(const Address& source) const { return allowed_.empty() || contains(allowed_, source); }
    /// Size of the control data of one received datagram or train.
    std::size_t control_bytes() const;

    /// Fixes the destination, and receives only from it.
    Result<void> connect(const Address& peer);

    /// Of sockets that share a port: the kernel passes a datagram whose first byte is `value` under `mask` to the one
    /// that was bound at the place that its second byte has, counted from 0. All others, and those without such a
    /// socket, go where the addresses lead (SO_ATTACH_REUSEPORT_CBPF).
    Result<void> steer_by_second_byte(std::byte mask, std::byte value);

    /// Joins or leaves a multicast group (RFC 1112, RFC 3678) on the named interface; "": chosen by the routing table.
    Result<void> join(const Address& group, const std::string& interface);
    Result<void> leave(const Address& group, const std::string& interface);
    /// Configures outgoing multicast: interface ("": chosen by the routing table), hop limit, loopback, and IPv4 source
    /// address (default: chosen by the kernel; on loopback that is 0.0.0.0).
    Result<void> configure_multicast(const std::string& interface, int hops, MulticastLoop loop,
                                     const Address& source = {});

    /// Datagrams dropped since the last call because the receive buffer was full. Queries the kernel (SO_MEMINFO), so
    /// it adds no cost to the receive path. Call it at least every 2^32 drops.
    std::uint64_t new_drops();

  private:
    UdpSocket(int fd, Family family) : fd_(fd), family_(family) {}
    static Result<UdpSocket> adopt(const SocketOptions& options);
    Result<void> configure(const SocketOptions& options);
    Result<void> read_local();
    Result<void> membership(int option, const char* verb, const Address& group, const std::string& interface) const;

    int fd_ = -1;
    Family family_ = Family::none;
    Address local_, peer_;
    bool gro_ = false;
    bool stamps_ = false;
    std::unique_ptr<DeviceClock> device_clock_;
    bool ecn_ = false;
    bool hop_limits_ = false;
    bool reports_errors_ = false;
    bool reports_local_ = false;
    std::uint32_t drops_seen_ = 0;
    std::vector<Subnet> allowed_;
};

/// The source address that the kernel selects for datagrams to `target`. Sends nothing.
Result<Address> source_address_toward(const Address& target);

/// Maximum number of segments of a GSO train: 128 or 64 depending on the kernel, 1 without GSO. Probed once, by sending
/// trains over loopback.
std::size_t kernel_train_segments();

}  // namespace ringpost
