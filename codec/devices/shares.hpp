#pragma once

// Places that strangers compete for, shared fairly between their networks or hosts.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>

#include <ringpost/address.hpp>
#include "codec/base/check.hpp"
#include "codec/base/siphash.hpp"

namespace ringpost::devices {

/// A host or a network, as the bytes of its address.
using Holder = std::array<std::uint8_t, 16>;

/// The network that an address belongs to: the /24 of IPv4, the /64 of IPv6.
inline Holder network_of(const Address& address) {
    Holder out = address.ip;
    const std::size_t kept = address.family == Family::v4 ? 15 : 8;
    for (std::size_t i = kept; i < out.size(); ++i) out[i] = 0;
    return out;
}

/// Hashes what a stranger chooses.
struct HolderHash {
    SipKey key;
    std::size_t operator()(const Holder& holder) const { return siphash(key, std::as_bytes(std::span(holder))); }
};

/// Counts by holder; a holder that has nothing takes no memory.
class Holders {
  public:
    explicit Holders(const SipKey& key) : counts_(0, HolderHash{key}) {}

    std::uint32_t count(const Holder& holder) const {
        const auto found = counts_.find(holder);
        return found == counts_.end() ? 0 : found->second;
    }
    void add(const Holder& holder) { ++counts_[holder]; }
    void remove(const Holder& holder) {
        const auto found = counts_.find(holder);
        RINGPOST_CHECK(found != counts_.end());
        if (--found->second == 0) counts_.erase(found);
    }

  private:
    std::unordered_map<Holder, std::uint32_t, HolderHash> counts_;
};

/// A fixed number of places. A holder gets another one while it holds fewer than `weight` times the free ones (dynamic
/// thresholds: Choudhury and Hahne, 1998), and never the last one if it has any. One holder alone so gets at most
/// weight / (weight + 1) of the places, and a holder that has none finds one unless very many compete.
class Shares {
  public:
    Shares(std::uint32_t places, std::uint32_t weight, const SipKey& key)
        : places_(places), weight_(weight), held_(key) {}

    bool may_take(const Holder& holder) const {
        const std::uint32_t held = held_.count(holder), free = places_ - taken_;
        return held == 0 ? free > 0 : free > 1 && held < std::uint64_t{weight_} * free;
    }
    /// False if there is no place for this holder.
    bool take(const Holder& holder) {
        if (!may_take(holder)) return false;
        held_.add(holder);
        ++taken_;
        return true;
    }
    void give_back(const Holder& holder) {
        held_.remove(holder);
        --taken_;
    }
    std::uint32_t taken() const { return taken_; }
    std::uint32_t places() const { return places_; }

  private:
    std::uint32_t places_, weight_, taken_ = 0;
    Holders held_;
};

}  // namespace ringpost::devices
