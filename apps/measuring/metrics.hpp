#pragma once

#include <memory>
#include <string>

#include "apps/measuring/snapshot.hpp"

namespace ringpost::apps {

/// A run's counts and its first histogram for Prometheus, at http://ADDRESS:PORT/metrics, while it lives.
class Metrics {
  public:
    /// `address` as of --prometheus: HOST:PORT or [IPv6]:PORT. Failure when it cannot be listened on. Starts threads.
    Metrics(const std::string& address, const RunShape& shape);
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    void update(const Snapshot& now);  ///< since the start

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace ringpost::apps
