#include "apps/runs/snapshot.hpp"

#include <algorithm>

#include "apps/runs/figures.hpp"

namespace ringpost::apps {

void Snapshot::add(const Snapshot& other) {
    for_each_number([&](Kind kind, const auto& number) {
        auto& mine = number(*this);
        const bool adds_up = kind != Kind::clock && kind != Kind::level;
        mine = adds_up ? mine + number(other) : std::max(mine, number(other));
    });
    histograms.resize(std::max(histograms.size(), other.histograms.size()));
    for (std::size_t i = 0; i < other.histograms.size(); ++i) histograms[i].merge(other.histograms[i]);
}

LossPlaces loss_places(const RunShape& shape, const Snapshot& snapshot) {
    auto left = static_cast<std::uint64_t>(std::max<std::int64_t>(snapshot.lost, 0));
    LossPlaces out{.send_queue = shape.sends ? snapshot.engine.send_failed : 0};
    if (shape.lost_is_unanswered) left -= std::min(left, out.send_queue);
    out.receive_buffer = std::min(left, snapshot.socket_dropped * shape.drop_datagrams_max);
    out.path = left - out.receive_buffer;
    return out;
}

Snapshot interval_between(const Snapshot& after, const Snapshot& before) {
    Snapshot out;
    for_each_number([&](Kind kind, const auto& number) {
        number(out) = kind == Kind::level ? number(after) : number(after) - number(before);
    });
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
