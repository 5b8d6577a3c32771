#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "apps/runs/snapshot.hpp"

namespace prometheus {
class Exposer;
}

namespace ringpost::apps {

/// A run's counts and its first histogram for Prometheus, at http://ADDRESS:PORT/metrics, while it lives. Each carries
/// the label `command`; what the shape does not have is left out:
///
///     ringpost_datagrams_sent_total, _received_total, _refused_total, ringpost_receive_buffer_full_total,
///     ringpost_cpu_seconds_total    counters
///     ringpost_datagrams_lost       a gauge: a late answer takes one back
///     ringpost_NAME_seconds         a histogram by its name in the shape, from 1 us to 10 s in steps of 1, 2 and 5
///
/// A duration is counted by the bucket it was recorded in: up to a thousandth above a bound, it may count as within.
class Metrics {
  public:
    /// `address` as of --prometheus: HOST:PORT or [IPv6]:PORT; port 0 lets the kernel choose. Failure when it cannot be
    /// listened on, in one line with the option. Starts threads.
    Metrics(const std::string& address, const RunShape& shape);
    /// Takes up to two seconds, because its web server looks so seldom whether it is to end: last thing of a run.
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    std::uint16_t port() const;  ///< the one that is listened on

    void update(const Snapshot& now);  ///< since the start; from any thread

  private:
    class Collected;
    std::shared_ptr<Collected> collected_;
    std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace ringpost::apps
