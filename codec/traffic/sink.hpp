#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/lru_table.hpp"
#include "codec/base/siphash.hpp"
#include "codec/measure/histogram.hpp"
#include "codec/traffic/control_answers.hpp"
#include "codec/traffic/frame.hpp"
#include "codec/traffic/reverse.hpp"
#include "codec/traffic/sender_table.hpp"
#include "codec/traffic/sequence_window.hpp"
#include "codec/traffic/train_checker.hpp"
#include "codec/traffic/window_pool.hpp"

namespace ringpost::traffic {

/// What a sink has received. `received` counts every datagram; duplicate, reordered and corrupt are parts of it. With
/// verification, and if no stream is evicted:
///     sent == (received - duplicate - corrupt) + lost + before_start + those lost after the last one received.
struct SinkCounters {
    std::uint64_t received = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0;          ///< missing sequences below the highest received
    std::uint64_t before_start = 0;  ///< missing at the start of streams that are older than this sink; not in `lost`
    std::uint64_t duplicate = 0;
    std::uint64_t reordered = 0;
    std::uint64_t corrupt = 0;  ///< not a frame, or wrong CRC; the sequence of such a frame also counts as lost
    std::uint64_t streams = 0;
    std::uint64_t streams_forgotten = 0;  ///< streams evicted: more than load_streams_max at once
    Instant first_at = never;
    std::uint64_t at_first = 0;  ///< received at first_at; excluded from a rate over first_at to last_at
    Instant last_at = never;

    static constexpr auto table() {
        return std::to_array<Counter<SinkCounters>>({
            {"received", &SinkCounters::received},
            {"bytes", &SinkCounters::bytes},
            {"lost", &SinkCounters::lost},
            {"before_start", &SinkCounters::before_start},
            {"duplicate", &SinkCounters::duplicate},
            {"reordered", &SinkCounters::reordered},
            {"corrupt", &SinkCounters::corrupt},
            {"streams", &SinkCounters::streams},
            {"streams_forgotten", &SinkCounters::streams_forgotten},
        });
    }
};
static_assert(lists_every_counter<SinkCounters>(sizeof(Instant) + sizeof(SinkCounters::at_first) + sizeof(Instant)));

struct SinkOptions {
    bool verify = true;
    /// Protects the stream table against chosen collisions; must be random and secret.
    SipKey key = {};
    /// Offset from our clock to that of the senders' due times (see frame.hpp). If set, one-way times are recorded.
    std::optional<Duration> one_way = std::nullopt;
    /// When this sink began to listen. What was sent before is not lost. Without it, every stream counts as new.
    std::optional<Instant> listening_since = std::nullopt;
    bool answers_control = false;       ///< answers requests for the counts of a stream (control.hpp); with `verify`
    ReverseSenderOptions reverse = {};  ///< with `answers_control`
};

/// One-way times of all frames but duplicates, as accurate as the clocks of both ends agree.
struct OneWayCounters {
    std::uint64_t before_sent = 0;  ///< received before its due time, recorded as 0: the clocks differ
    Duration before_sent_max = 0;   ///< largest such lead; the clocks differ by at least this much
    std::uint64_t clock_apart = 0;  ///< not recorded: more than Histogram::trackable_ns_max from its due time

    static constexpr auto table() {
        return std::to_array<Counter<OneWayCounters>>({
            {"before_sent", &OneWayCounters::before_sent},
            {"clock_apart", &OneWayCounters::clock_apart},
        });
    }
};
static_assert(lists_every_counter<OneWayCounters>(sizeof(Duration)));

/// One stream of a sink, and what is needed to find out whether it is older than the sink; see the .cpp.
struct SinkStream {
    WindowPool::Lease words;
    std::optional<SequenceWindow> window;
    std::uint64_t duplicate = 0, reordered = 0;
    std::uint64_t corrupt_before = 0;  ///< from the same source, before this stream began
    std::uint64_t first_sequence = 0;  ///< the first one received
    std::uint64_t unseen = 0;          ///< missing sequences below first_sequence
    Instant first_due = 0;
    Duration transit_min = 0;  ///< shortest difference of arrival and due time, by clocks that may differ
    bool older = false;        ///< began before the sink: `unseen` is part of before_start, not of lost
    bool age_open = false;     ///< `older` may change
};

/// The endpoint of `ringpost sink`: verifies and classifies received frames. Sends nothing but answers of the control
/// channel, to a sender about its own stream, and what reverse.hpp allows.
class Sink {
  public:
    struct Event {};  ///< none; see counters()

    explicit Sink(const SinkOptions& options);
    Sink(const Sink&) = delete;  // its streams point to its windows
    Sink& operator=(const Sink&) = delete;

    void handle(Instant now, const Datagram& in) { take(now, in); }
    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes);
    /// Like handle(). Returns true if the datagram is a valid frame that is not a duplicate.
    bool take(Instant now, const Datagram& in);
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        const auto control = control_.poll_transmit(out);
        return control || !reverse_ ? control : reverse_->poll_transmit(now, out);
    }
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return reverse_ ? reverse_->poll_timeout() : std::nullopt; }

    SinkCounters counters() const;
    const ControlCounters& control() const { return control_.counters(); }
    /// Null unless SinkOptions::reverse allows some.
    const ReverseSender* reverse() const { return reverse_ ? &*reverse_ : nullptr; }
    /// The counts by sender.
    SenderTable::Rows senders() { return senders_.rows(counts_); }
    const SenderTable& sender_table() const { return senders_; }
    /// Empty unless SinkOptions::one_way is set.
    const Histogram& one_way() const { return one_way_; }
    const OneWayCounters& one_way_counts() const { return one_way_counts_; }

  private:
    struct StreamKey {
        Address source;
        std::uint64_t stream;
        bool operator==(const StreamKey&) const = default;
    };

    void count(Instant now, const Address& source, std::size_t datagrams, std::size_t bytes);
    void take_run(Instant now, const Address& source, std::span<const std::byte> frames, std::size_t frame_bytes);
    /// Of a valid frame of stream `newest_`; false if it is a duplicate.
    bool classify(Instant now, const Frame& frame);
    SinkStream& stream_of(Instant now, const Address& source, const Frame& frame) {
        if (newest_ == nullptr || frame.stream != newest_key_.stream || source != newest_key_.source)
            find_stream(now, source, frame);
        return *newest_;
    }
    void find_stream(Instant now, const Address& source, const Frame& frame);
    void judge_age(Instant now, const Frame& frame);
    std::uint64_t& unseen_count(const SinkStream& stream) { return stream.older ? counts_.before_start : counts_.lost; }
    void record_one_way(Instant now, const Frame& frame);
    /// Answers a datagram of the control channel; false if it is none.
    bool answer_control(Instant now, const Datagram& in);

    SinkOptions options_;
    SinkCounters counts_;
    OneWayCounters one_way_counts_;
    Histogram one_way_;
    SenderTable senders_;
    ControlAnswers control_;
    std::optional<ReverseSender> reverse_;
    TrainChecker checker_;
    WindowPool windows_;
    LruTable<StreamKey, SinkStream> streams_;
    StreamKey newest_key_{};  ///< the datagrams of a train belong to one stream, so lookups are rare
    SinkStream* newest_ = nullptr;
};

}  // namespace ringpost::traffic
