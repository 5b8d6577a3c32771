#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/devices/advert.hpp"
#include "codec/devices/context.hpp"

namespace ringpost::devices {

/// Announces this device on every link: a hello, an alive 20 ms later, and then an alive every period.
///
/// A new device is answered with an alive to the group after a delay that grows with the number of devices. One reply
/// serves all devices that appeared meanwhile, so n devices that start together send O(n) adverts instead of O(n^2). A
/// link has four such replies at once, and four a second: anybody can claim to be a new device.
class Announcer {
  public:
    explicit Announcer(Context& context) : context_(context) {}

    void add(Instant now, SocketIndex socket, const Address& own);
    void remove(SocketIndex socket);
    /// Whether `address` belongs to one of our interfaces.
    bool is_own(const Address& address) const;
    /// Whether `address` is in the same network (network_of()) as one of our interfaces.
    bool is_near(const Address& address) const;

    /// A hello or an unknown name was received on `socket`.
    void answer(Instant now, SocketIndex socket);
    /// A peer no longer receives our adverts: sends an alive on every link, at most four times a period.
    void answer_all(Instant now);
    /// Sends a unicast advert to `device`, which multicast may not reach.
    void send_hello(const Address& device, SocketIndex socket) { send_to(device, socket, AdvertKind::hello); }
    void send_alive(const Address& device, SocketIndex socket) { send_to(device, socket, AdvertKind::alive); }
    void stop();

    void expire(Instant now);
    std::optional<Instant> next_timeout() const;
    std::optional<Transmit> poll(std::span<std::byte> out);

  private:
    struct Link {
        bool present = false;
        Address own;
        Instant alive_at = never;
        bool starting = false;       ///< the first alive has not been sent
        Instant replies_due_at = 0;  ///< when all replies so far would have left at their limited rate
    };
    struct Outgoing {
        SocketIndex socket = 0;
        AdvertKind kind = AdvertKind::alive;
        Address destination;
    };

    void send_to(const Address& device, SocketIndex socket, AdvertKind kind);
    void announce(SocketIndex socket, AdvertKind kind);
    void push(SocketIndex socket, AdvertKind kind, const Address& destination);
    void find_next();

    Context& context_;
    std::vector<Link> links_;  ///< by socket
    Instant next_at_ = never;  ///< the earliest alive_at
    Instant answered_all_at_ = -never;
    std::deque<Outgoing> queue_;
};

}  // namespace ringpost::devices
