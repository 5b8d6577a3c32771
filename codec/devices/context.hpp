#pragma once

// State shared by the parts of an Endpoint.

#include <algorithm>
#include <bit>

#include "codec/base/lru_table.hpp"
#include "codec/devices/directory.hpp"
#include "codec/devices/events.hpp"
#include "codec/devices/options.hpp"
#include "codec/devices/questions.hpp"

namespace ringpost::devices {

/// When the bucket of an address will be empty.
struct Due {
    Instant at = INT64_MIN;
};

/// Limits the rate per source address with a leaky bucket (the GCRA of ITU-T I.371).
class SourceRates {
  public:
    SourceRates(std::uint32_t sources, Duration interval, std::uint32_t burst, const SipKey& key)
        : interval_(interval), burst_(interval * burst), due_(sources, key) {}

    /// Charges one unit to the address. Returns false if that exceeds the rate.
    bool take(Instant now, const Address& source) {
        Due& due = due_.touch(source.ip);
        const Instant from = std::max(due.at, now);
        if (from - now > burst_ - interval_) return false;
        due.at = from + interval_;
        return true;
    }

  private:
    Duration interval_, burst_;
    LruTable<std::array<std::uint8_t, 16>, Due> due_;
};

inline Address with_port(Address address, std::uint16_t port) {
    address.port = port;
    return address;
}

struct Context {
    explicit Context(const Options& given)
        : options(given),
          events(counts),
          directory(given.names_max, given.period, given.key, given.start),
          asks(given.start),
          inquiries(given.key),
          random_state(given.seed) {}

    /// A random value from 0 to end - 1. SplitMix64 (Steele, Lea and Flood 2014).
    Duration random_below(Duration end) {
        std::uint64_t value = random_state += 0x9e3779b97f4a7c15;
        value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
        value = (value ^ value >> 27) * 0x94d049bb133111eb;
        value ^= value >> 31;
        return end <= 0 ? 0 : static_cast<Duration>(value % static_cast<std::uint64_t>(end));
    }

    /// Number of addresses whose rates are tracked.
    std::uint32_t sources() const { return std::min(std::bit_ceil(options.names_max), limits::devices_sources_max); }

    Options options;
    Counters counts;
    Events events;
    Directory directory;
    Asks asks;
    Inquiries inquiries;
    // Received on all connections:
    std::size_t unread_bytes = 0;   ///< frames that the application has not consumed, and what follows them
    std::size_t partial_bytes = 0;  ///< frames whose end has not arrived
    std::uint64_t random_state;
    bool closed = false;
};

}  // namespace ringpost::devices
