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

/// Says that we are here, on every link: hello, alive 20 ms later, and alive every period from then on.
///
/// Whoever is new is answered with an alive to the group, a moment later, and later the more there are: one answer does
/// for all who came in that moment. So n devices that start together say O(n) adverts, not a million for a thousand.
class Announcer {
  public:
    explicit Announcer(Context& context) : context_(context) {}

    void add(Instant now, SocketIndex socket, const Address& own);
    void remove(SocketIndex socket);
    /// Whether `address` is one of our own.
    bool is_own(const Address& address) const;

    /// A hello was heard by `socket`, or a name that we did not know.
    void answer(Instant now, SocketIndex socket);
    /// Somebody does not hear us: alive on every link, but not more often than four times a period.
    void answer_all(Instant now);
    /// An advert for `device` alone, which may be where multicast does not reach.
    void greet(const Address& device, SocketIndex socket) { tell(device, socket, AdvertKind::hello); }
    void reassure(const Address& device, SocketIndex socket) { tell(device, socket, AdvertKind::alive); }
    void stop();

    void expire(Instant now);
    std::optional<Instant> next_timeout() const;
    std::optional<Transmit> poll(std::span<std::byte> out);

  private:
    struct Link {
        bool present = false;
        Address own;
        Instant alive_at = never;
        bool starting = false;  ///< the first alive has not been said
    };
    struct Outgoing {
        SocketIndex socket = 0;
        AdvertKind kind = AdvertKind::alive;
        Address destination;
    };

    void tell(const Address& device, SocketIndex socket, AdvertKind kind);
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
