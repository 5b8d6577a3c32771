#pragma once

#include <cstddef>
#include <cstdint>

#include <ringpost/address.hpp>
#include <ringpost/time.hpp>
#include "codec/base/lru_table.hpp"
#include "codec/devices/shares.hpp"

namespace ringpost::devices {

/// What the network carries for an advert, a hello or a connection of ours, in bytes with IP, UDP and TCP headers.
std::size_t datagram_bytes(const Address& peer, std::size_t payload);
std::size_t segment_bytes(const Address& peer);  ///< a SYN with its options; other segments without payload are shorter

/// The state of one address.
struct Reached {
    std::int64_t credit_bytes = 0;
    std::uint32_t silences = 0;  ///< attempts in a row that were not answered
    Instant silent_until = INT64_MIN;
    bool trying = false;
};

/// What may be sent to an address because of adverts from it, whose source anybody can forge: three times their bytes.
/// An attempt to connect that is not answered also delays the next one to that address, whatever names it claims.
class Reach {
  public:
    Reach(std::uint32_t addresses, const SipKey& key) : entries_(addresses, key) {}

    /// An advert of `bytes` came from `source`.
    void on_advert(const Address& source, std::size_t bytes);
    /// Whether the address has a credit of `bytes`.
    bool can_pay(const Address& to, std::size_t bytes) const;
    /// Takes `bytes` from the credit of the address. False if there is less.
    bool pay(const Address& to, std::size_t bytes);
    /// The same, but if there is less the address has a debt.
    void charge(const Address& to, std::size_t bytes);

    /// Whether the last attempt was not answered.
    bool was_silent(const Address& to) const;
    /// When an attempt to connect may start, at the earliest: `never` while another one is in progress.
    Instant attempt_at(const Address& to) const;
    void on_attempt(const Address& to);
    enum class Outcome : std::uint8_t { answered, silent };
    void on_attempt_ended(Instant now, const Address& to, Outcome outcome);

  private:
    LruTable<Holder, Reached> entries_;
};

}  // namespace ringpost::devices
