#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

/// What a measuring command tells, the same from its start to its end.
struct RunShape {
    std::string command;                  ///< load, latency or sink
    bool sends = true;                    ///< a sink does not
    bool hears = true;                    ///< received and lost are known; not to a load whose sink is elsewhere
    bool verifies = true;                 ///< else what was lost is known at the end, or not at all
    std::vector<std::string> histograms;  ///< the first is the one shown
    /// `lost` are probes without an answer: those the kernel refused to send are among them, and until the end those
    /// still under way.
    bool lost_is_unanswered = false;
    /// Datagrams that one drop at a receive buffer may stand for: more than 1 where trains are received.
    std::uint64_t drop_datagrams_max = 1;
};

/// What a run has counted and recorded from its start up to a moment.
struct Snapshot {
    double elapsed_s = 0;
    double cpu_s = 0;  ///< processor time of the process
    std::uint64_t sent = 0, received = 0;
    std::int64_t lost = 0;              ///< see RunShape::lost_is_unanswered
    std::int64_t waiting = 0;           ///< of them, those that left after the last snapshot: they may be under way
    std::uint64_t refused = 0;          ///< datagrams that the kernel refused to send
    std::uint64_t socket_dropped = 0;   ///< times that a receive buffer was full
    std::vector<Histogram> histograms;  ///< as RunShape names them

    /// Those of several engines are one run's: everything adds up but the time.
    void add(const Snapshot& other);
};

/// Where datagrams were lost: refused by our own host on the way out, dropped at a full receive buffer that we can ask,
/// or anywhere else. With trains a drop may be of several datagrams: then receive_buffer is the most it can be.
struct LossPlaces {
    std::uint64_t send_queue = 0, receive_buffer = 0, path = 0;
};
LossPlaces loss_places(const RunShape& shape, const Snapshot& snapshot);

/// What `after` has counted and recorded more than `before`; elapsed_s is the length.
Snapshot interval_between(const Snapshot& after, const Snapshot& before);
Histogram difference(const Histogram& after, const Histogram& before);

}  // namespace ringpost::apps
