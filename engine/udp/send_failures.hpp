#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ringpost/address.hpp>
#include "codec/base/limits.hpp"

namespace ringpost {

/// A datagram or train that the kernel refused.
struct SendFailure {
    Address destination;  ///< the connected peer of a connected socket
    int error = 0;        ///< errno
};

/// The refused sends that were not taken yet; beyond limits::send_failures_max only EngineCounters::send_failed counts
/// them.
class SendFailures {
  public:
    SendFailures() { failures_.reserve(limits::send_failures_max); }

    void add(const Address& destination, int error) {
        if (failures_.size() < limits::send_failures_max) failures_.push_back({destination, error});
    }
    std::span<const SendFailure> all() const { return failures_; }
    void clear() { failures_.clear(); }

  private:
    std::vector<SendFailure> failures_;
};

}  // namespace ringpost
