// Each datagram is decoded and classified by its stream's window. The totals are updated at once, so evicting a stream
// loses no counts.

#include "codec/traffic/sink.hpp"

#include <algorithm>

#include "codec/base/limits.hpp"

namespace ringpost::traffic {

Sink::Sink(const SinkOptions& options) : options_(options), streams_(limits::load_streams_max, options.key) {}

bool Sink::take(Instant now, const Datagram& in) {
    if (counts_.received++ == 0) counts_.first_at = now;
    counts_.last_at = now;
    if (now == counts_.first_at) ++counts_.at_first;
    counts_.bytes += in.bytes.size();
    if (!options_.verify) return false;
    const std::optional<Frame> frame = decode(in.bytes);
    if (!frame) {
        ++counts_.corrupt;
        return false;
    }
    if (newest_ == nullptr || frame->stream != newest_key_.stream || in.source != newest_key_.source)
        find_stream(in.source, *frame);
    SequenceWindow& window = *newest_;
    const std::uint64_t end_before = window.end();
    switch (window.record(frame->sequence)) {
        case Arrival::in_order: counts_.lost += frame->sequence - end_before; break;
        case Arrival::reordered:
            ++counts_.reordered;
            --counts_.lost;
            break;
        case Arrival::duplicate: ++counts_.duplicate; return false;
    }
    if (options_.one_way) record_one_way(now, *frame);
    return true;
}

void Sink::record_one_way(Instant now, const Frame& frame) {
    // The due time comes from the network, so the subtraction uses unsigned arithmetic, which may wrap.
    const auto passed =
        static_cast<Duration>(static_cast<std::uint64_t>(now) + static_cast<std::uint64_t>(*options_.one_way) -
                              static_cast<std::uint64_t>(frame.due));
    if (passed > Histogram::trackable_ns_max || passed < -Histogram::trackable_ns_max) {
        ++one_way_counts_.clock_apart;
        return;
    }
    one_way_.record(passed);  // negative values are recorded as 0
    if (passed >= 0) return;
    ++one_way_counts_.before_sent;
    one_way_counts_.before_sent_max = std::max(one_way_counts_.before_sent_max, -passed);
}

void Sink::find_stream(const Address& source, const Frame& frame) {
    newest_key_ = {source, frame.stream};
    newest_ = &streams_.touch(newest_key_);
    if (newest_->end() > 0) return;
    ++counts_.streams;
    // Joined in the middle of a stream: it started before this sink, or has been evicted, which is possible for any
    // stream after the first eviction. Earlier sequences are not lost.
    if (frame.sequence >= limits::load_window_sequences || streams_.evictions() > 0) newest_->begin_at(frame.sequence);
}

SinkCounters Sink::counters() const {
    SinkCounters out = counts_;
    out.streams_forgotten = streams_.evictions();
    return out;
}

}  // namespace ringpost::traffic
