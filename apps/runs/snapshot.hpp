#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ringpost/counters.hpp>
#include "codec/measure/histogram.hpp"

namespace ringpost::apps {

/// What a measuring command measures. Constant during a run.
struct RunShape {
    std::string command;                  ///< load, latency or sink
    bool sends = true;                    ///< false for a sink
    bool receives = true;                 ///< false for a load whose sink runs elsewhere: received and lost are unknown
    bool verifies = true;                 ///< false: loss is known at the end, if both ends report to us, or never
    bool connected = false;               ///< over a connection of the native transport
    std::vector<std::string> histograms;  ///< their names; live outputs show the first
    /// `lost` counts unanswered probes, so it includes those that the kernel refused to send and, until the end, those
    /// in flight.
    bool lost_is_unanswered = false;
    /// Datagrams that one drop at a receive buffer may stand for: more than 1 where trains are received.
    std::uint64_t drop_datagrams_max = 1;
};

/// What a run has counted and recorded, from its start or during an interval. apps/runs/figures.hpp has a row for each
/// number but the engine's, which have their own table.
struct Snapshot {
    double elapsed_s = 0;
    double cpu_s = 0;  ///< processor time of the process
    std::uint64_t sent = 0, received = 0;
    std::int64_t lost = 0;             ///< see RunShape::lost_is_unanswered
    std::int64_t waiting = 0;          ///< the part of `lost` sent since the last snapshot, which may be in flight
    std::uint64_t socket_dropped = 0;  ///< times that a receive buffer was full
    double rtt_smoothed_us = 0;        ///< of a connection, as are the next four
    std::uint64_t window_bytes = 0, in_flight_bytes = 0;
    std::uint64_t packets_lost = 0, bytes_resent = 0;
    EngineCounters engine = {};         ///< of this process
    std::vector<Histogram> histograms;  ///< in the order of RunShape::histograms

    /// Adds what another engine or agent measured at the same time: numbers add up, but of a time or a level the
    /// greatest counts.
    void add(const Snapshot& other);
};

/// Loss by place: refused by this host's kernel, dropped at a full receive buffer that this run observes, or lost
/// elsewhere. A drop may stand for a train of datagrams; receive_buffer is then an upper bound.
struct LossPlaces {
    std::uint64_t send_queue = 0, receive_buffer = 0, path = 0;
};
LossPlaces loss_places(const RunShape& shape, const Snapshot& snapshot);

/// The difference of two snapshots of a run; elapsed_s is the length of the interval, levels are those at its end.
Snapshot interval_between(const Snapshot& after, const Snapshot& before);
Histogram difference(const Histogram& after, const Histogram& before);

}  // namespace ringpost::apps
