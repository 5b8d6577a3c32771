#pragma once

#include <utility>

#include <ringpost/address.hpp>
#include <ringpost/network.hpp>
#include <ringpost/options.hpp>
#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/lru_table.hpp"
#include "codec/base/siphash.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/random.hpp"
#include "engine/os/system_error.hpp"
#include "engine/udp/send_failures.hpp"

namespace ringpost {

/// The errno with which the kernel last refused a datagram, by peer, and the log of them. Costs one comparison for an
/// event while the kernel refuses nothing.
class FailedPeers {
  public:
    explicit FailedPeers(Log log) : log_(std::move(log)), errors_(limits::failed_peers_max, random_value<SipKey>()) {}

    /// Takes what the backend has collected. Logs one failure a second.
    void take(SendFailures& failures) {
        if (failures.all().empty()) return;
        for (const SendFailure& failure : failures.all()) errors_.touch(failure.destination) = failure.error;
        if (const Instant at = now(); log_ && at - logged_at_ >= second) {
            logged_at_ = at;
            const SendFailure& first = failures.all().front();
            log_(LogLevel::warning, system_error("send to " + to_text(first.destination), first.error).text);
        }
        failures.clear();
    }
    /// A message came from the peer, so it is reached.
    void on_message(const Address& peer) {
        if (errors_.size() > 0) errors_.erase(peer);
    }
    /// 0: none.
    int error_of(const Address& peer) const {
        const int* error = errors_.size() > 0 ? errors_.find(peer) : nullptr;
        return error != nullptr ? *error : 0;
    }

  private:
    Log log_;
    LruTable<Address, int> errors_;
    Instant logged_at_ = -second;
};

}  // namespace ringpost
