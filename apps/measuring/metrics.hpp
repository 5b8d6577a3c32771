#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <ringpost/address.hpp>
#include "apps/runs/snapshot.hpp"

namespace prometheus {
class Exposer;
}

namespace ringpost::apps {

/// The address of --prometheus: HOST:PORT or [IPv6]:PORT; port 0 lets the kernel choose. Throws Failure for any other
/// text.
Address listening_address(const std::string& text);

/// Serves a run's figures and its first histogram to Prometheus at http://ADDRESS:PORT/metrics. Each metric has the
/// label `command`. apps/runs/figures.hpp names the counters and gauges; a figure that the run does not know is left
/// out. The histogram is ringpost_NAME_seconds, with buckets from 1 us to 10 s in steps of 1, 2 and 5. It counts a
/// duration by the bucket in which it was recorded, so one up to a thousandth above a bound may count as within.
class Metrics {
  public:
    /// `address` is HOST:PORT or [IPv6]:PORT; port 0 lets the kernel choose. Throws Failure, with the option in its
    /// text, when it cannot listen there. Starts threads.
    Metrics(const std::string& address, const RunShape& shape);
    /// Takes up to two seconds, the interval at which the web server checks whether to stop. Do it last.
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    std::uint16_t port() const;  ///< where it listens

    void update(const Snapshot& now);  ///< since the start; from any thread

  private:
    class Collected;
    std::shared_ptr<Collected> collected_;
    std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace ringpost::apps
