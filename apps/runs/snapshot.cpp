#include "apps/runs/snapshot.hpp"

#include <algorithm>

namespace ringpost::apps {

void Snapshot::add(const Snapshot& other) {
    elapsed_s = std::max(elapsed_s, other.elapsed_s);
    cpu_s += other.cpu_s;
    sent += other.sent;
    received += other.received;
    lost += other.lost;
    waiting += other.waiting;
    refused += other.refused;
    socket_dropped += other.socket_dropped;
    histograms.resize(std::max(histograms.size(), other.histograms.size()));
    for (std::size_t i = 0; i < other.histograms.size(); ++i) histograms[i].merge(other.histograms[i]);
}

LossPlaces loss_places(const RunShape& shape, const Snapshot& snapshot) {
    auto left = static_cast<std::uint64_t>(std::max<std::int64_t>(snapshot.lost, 0));
    LossPlaces out{.send_queue = snapshot.refused};
    if (shape.lost_is_unanswered) left -= std::min(left, snapshot.refused);
    out.receive_buffer = std::min(left, snapshot.socket_dropped * shape.drop_datagrams_max);
    out.path = left - out.receive_buffer;
    return out;
}

Snapshot interval_between(const Snapshot& after, const Snapshot& before) {
    Snapshot out{.elapsed_s = after.elapsed_s - before.elapsed_s,
                 .cpu_s = after.cpu_s - before.cpu_s,
                 .sent = after.sent - before.sent,
                 .received = after.received - before.received,
                 .lost = after.lost - before.lost,
                 .waiting = after.waiting - before.waiting,
                 .refused = after.refused - before.refused,
                 .socket_dropped = after.socket_dropped - before.socket_dropped,
                 .histograms = {}};
    for (std::size_t i = 0; i < after.histograms.size(); ++i)
        out.histograms.push_back(i < before.histograms.size() ? difference(after.histograms[i], before.histograms[i])
                                                              : after.histograms[i]);
    return out;
}

Histogram difference(const Histogram& after, const Histogram& before) {
    Histogram between;
    for (std::size_t index = 0; index < after.bucket_counts().size(); ++index)
        between.record_bucket(index, after.bucket_counts()[index] - before.bucket_counts()[index]);
    return between;
}

}  // namespace ringpost::apps
