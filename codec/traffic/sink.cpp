// Each datagram is decoded and classified by its stream's window; what a train has in common, once for the train. The
// totals are updated at once, so evicting a stream loses no counts.
//
// When the first sequence received of a stream is not 0, the earlier ones are lost, or were sent before this sink began
// to listen. The due times decide: those received so far give the stream's interval, and the interval gives the time at
// which sequence 0 would have arrived. Sender and sink may have different clocks; the shortest difference between
// arrival and due time converts one to the other, so that a late read of the first datagram does not count. The
// decision is revised with each datagram until as many sequences have passed as it extrapolates over.

#include "codec/traffic/sink.hpp"

#include <algorithm>

#include "codec/base/limits.hpp"

namespace ringpost::traffic {
namespace {

/// Due times come from the network, so the subtraction uses unsigned arithmetic, which may wrap.
Duration difference(Instant later, Instant earlier) {
    return static_cast<Duration>(static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(earlier));
}

}  // namespace

Sink::Sink(const SinkOptions& options)
    : options_(options), senders_(options.key), streams_(limits::load_streams_max, options.key) {
    if (options.reverse.bits_per_s_max > 0) reverse_.emplace(options.reverse);
}

bool Sink::take(Instant now, const Datagram& in) {
    const std::optional<Frame> frame = options_.verify ? decode(in.bytes) : std::nullopt;
    if (!frame && options_.answers_control && answer_control(now, in)) return false;
    count(now, in.source, 1, in.bytes.size());
    if (!options_.verify) return false;
    if (!frame) {
        ++counts_.corrupt;
        return false;
    }
    stream_of(now, in.source, *frame);
    return classify(now, *frame);
}

void Sink::handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) {
    if (!options_.verify)
        return count(now, train.source, segment_count(train.bytes.size(), segment_bytes), train.bytes.size());
    if (train.bytes.size() <= segment_bytes) {
        take(now, train);
        return;
    }
    Datagram datagram = train;
    bool expected = true;  // until the checker has been wrong
    for (std::size_t at = 0; at < train.bytes.size(); at += datagram.bytes.size()) {
        const auto rest = train.bytes.subspan(at);
        const std::size_t run = expected ? checker_.intact(rest, segment_bytes) : 0;
        expected = run > 0;
        datagram.bytes = rest.first(expected ? run * segment_bytes : std::min(segment_bytes, rest.size()));
        if (expected)
            take_run(now, train.source, datagram.bytes, segment_bytes);
        else
            take(now, datagram);
    }
}

void Sink::count(Instant now, const Address& source, std::size_t datagrams, std::size_t bytes) {
    senders_.begin(source, counts_, now);
    if (counts_.received == 0) counts_.first_at = now;
    counts_.received += datagrams;
    counts_.last_at = now;
    if (now == counts_.first_at) counts_.at_first += datagrams;
    counts_.bytes += bytes;
}

/// Valid frames of one stream with consecutive sequences.
void Sink::take_run(Instant now, const Address& source, std::span<const std::byte> frames, std::size_t frame_bytes) {
    const std::size_t frames_count = frames.size() / frame_bytes;
    count(now, source, frames_count, frames.size());
    const Frame first = header_of(frames.data());
    SinkStream& stream = stream_of(now, source, first);
    if (first.sequence >= stream.window->end() && !stream.age_open && !options_.one_way) {
        counts_.lost += first.sequence - stream.window->end();
        stream.window->record_new(first.sequence, frames_count);
        return;
    }
    for (std::size_t at = 0; at < frames.size(); at += frame_bytes) classify(now, header_of(&frames[at]));
}

bool Sink::classify(Instant now, const Frame& frame) {
    SinkStream& stream = *newest_;
    const std::uint64_t end_before = stream.window->end();
    switch (stream.window->record(frame.sequence)) {
        case Arrival::in_order: counts_.lost += frame.sequence - end_before; break;
        case Arrival::reordered:
            ++counts_.reordered;
            ++stream.reordered;
            if (frame.sequence < stream.first_sequence) {
                --unseen_count(stream);
                --stream.unseen;
            } else {
                --counts_.lost;
            }
            break;
        case Arrival::duplicate:
            ++counts_.duplicate;
            ++stream.duplicate;
            return false;
    }
    if (stream.age_open) judge_age(now, frame);
    if (options_.one_way) record_one_way(now, frame);
    return true;
}

void Sink::record_one_way(Instant now, const Frame& frame) {
    const Duration passed = difference(now + *options_.one_way, frame.due);
    if (passed > Histogram::trackable_ns_max || passed < -Histogram::trackable_ns_max) {
        ++one_way_counts_.clock_apart;
        return;
    }
    one_way_.record(passed);  // negative values are recorded as 0
    if (passed >= 0) return;
    ++one_way_counts_.before_sent;
    one_way_counts_.before_sent_max = std::max(one_way_counts_.before_sent_max, -passed);
}

void Sink::find_stream(Instant now, const Address& source, const Frame& frame) {
    newest_key_ = {source, frame.stream};
    newest_ = &streams_.touch(newest_key_);
    SinkStream& stream = *newest_;
    if (stream.window) return;
    stream.words = windows_.lease();
    stream.window.emplace(stream.words.words());
    ++counts_.streams;
    if (const SenderRow* const sender = senders_.find(source, counts_)) stream.corrupt_before = sender->counts.corrupt;
    if (frame.sequence == 0) return;
    // Joined in the middle of a stream that has been evicted, which is possible for any stream after the first
    // eviction: earlier sequences are not lost.
    if (streams_.evictions() > 0) {
        stream.window->begin_at(frame.sequence);
        return;
    }
    // So many are missing that the window does not hold them; whether they are lost is known all the same.
    if (frame.sequence >= stream.window->size()) {
        stream.window->begin_at(frame.sequence);
        stream.older = !options_.listening_since.has_value();
        unseen_count(stream) += frame.sequence;
    }
    stream.first_sequence = stream.unseen = frame.sequence;
    stream.first_due = frame.due;
    stream.transit_min = difference(now, frame.due);
    stream.age_open = options_.listening_since.has_value();
}

void Sink::judge_age(Instant now, const Frame& frame) {
    SinkStream& stream = *newest_;
    stream.transit_min = std::min(stream.transit_min, difference(now, frame.due));
    if (frame.sequence <= stream.first_sequence) return;
    const auto passed = static_cast<double>(frame.sequence - stream.first_sequence);
    const double interval = static_cast<double>(difference(frame.due, stream.first_due)) / passed;
    const double first_arrival = static_cast<double>(stream.first_due) + static_cast<double>(stream.transit_min);
    const double began = first_arrival - interval * static_cast<double>(stream.first_sequence);
    const bool older = began < static_cast<double>(*options_.listening_since);
    if (older != stream.older) {
        unseen_count(stream) -= stream.unseen;
        stream.older = older;
        unseen_count(stream) += stream.unseen;
    }
    stream.age_open = frame.sequence - stream.first_sequence < stream.first_sequence;
}

bool Sink::answer_control(Instant now, const Datagram& in) {
    const std::optional<Control> request = decode_control(in.bytes);
    if (!request) return false;
    const auto reverse = reverse_request_of(*request);
    const bool clock = request->kind == ControlKind::ask_clock && options_.one_way;
    if (!reverse && !clock && request->kind != ControlKind::ask_counts) return true;
    if (!control_.admit(now, in)) return true;
    if (clock) {
        control_.answer(in, {.kind = ControlKind::clock,
                             .stream = request->stream,
                             .cookie = request->cookie,
                             .numbers = {static_cast<std::uint64_t>(now + *options_.one_way)}});
        return true;
    }
    if (reverse) {
        const Control off = to_control(*request, {.state = static_cast<std::uint64_t>(ReverseState::off)});
        control_.answer(in, reverse_ ? reverse_->on_request(now, in, *request, *reverse) : off);
        return true;
    }
    StreamCounts counts;
    const SinkStream* const stream = streams_.find({in.source, request->stream});
    if (stream != nullptr)
        counts = {.received = stream->window->distinct(),
                  .missing = stream->window->missing(),
                  .end = stream->window->end(),
                  .duplicate = stream->duplicate,
                  .reordered = stream->reordered};
    if (const SenderRow* const sender = senders_.find(in.source, counts_)) {
        const std::uint64_t before = stream != nullptr ? stream->corrupt_before : 0;
        counts.corrupt = sender->counts.corrupt - std::min(before, sender->counts.corrupt);
    }
    control_.answer(in, counts_answer(*request, counts, stream == nullptr && streams_.evictions() > 0));
    return true;
}

SinkCounters Sink::counters() const {
    SinkCounters out = counts_;
    out.streams_forgotten = streams_.evictions();
    return out;
}

}  // namespace ringpost::traffic
