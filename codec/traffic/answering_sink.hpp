#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/counters.hpp>
#include "codec/base/ring_queue.hpp"
#include "codec/base/split_mix.hpp"
#include "codec/traffic/sink.hpp"

namespace ringpost::traffic {

struct AnsweringSinkOptions {
    SinkOptions sink;         ///< `verify` must be set: only verified frames are answered
    std::uint64_t seed = 0;   ///< of the reply streams; should be random
    Duration due_offset = 0;  ///< added to each due time written; see frame.hpp
};

/// Each new valid frame counts as sent, dropped or refused.
struct AnswerCounters {
    std::uint64_t sent = 0;
    std::uint64_t dropped = 0;  ///< load_answers_owed_max answers are pending already
    /// Frames that are answers themselves, come from a port that could cause a loop, or are too long for a Transmit
    /// (IPv6 carries 20 bytes more).
    std::uint64_t refused = 0;
    std::uint64_t sources_forgotten = 0;  ///< evicted: more than load_streams_max; on return, a new stream starts

    static constexpr auto table() {
        return std::to_array<Counter<AnswerCounters>>({
            {"sent", &AnswerCounters::sent},
            {"dropped", &AnswerCounters::dropped},
            {"refused", &AnswerCounters::refused},
            {"sources_forgotten", &AnswerCounters::sources_forgotten},
        });
    }
};
static_assert(lists_every_counter<AnswerCounters>());

/// The stream of replies to one source.
struct AnswerStream {
    bool started = false;
    std::uint32_t stream = 0;
    std::uint64_t next_sequence = 0;
};

/// The endpoint of `ringpost sink --bidirectional`: a Sink that answers each new valid frame with one frame of the same
/// size, to its source and through the same socket. The replies to a source form a stream of their own, numbered as
/// they are sent, so that loss on the return path is measured separately. A reply is due at the time at which the frame
/// was received. It never sends more than it has received.
class AnsweringSink {
  public:
    using Event = Sink::Event;

    explicit AnsweringSink(const AnsweringSinkOptions& options);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return std::nullopt; }

    Sink& sink() { return sink_; }
    const Sink& sink() const { return sink_; }
    AnswerCounters answers() const;

  private:
    /// Queued replies that differ only in their sequence number.
    struct QueuedReply {
        Address source;
        LocalPath path;
        std::size_t bytes = 0;
        Instant due = 0;
        std::uint32_t count = 0;

        bool shares_train(const QueuedReply& other) const {
            return source == other.source && path == other.path && bytes == other.bytes;
        }
    };
    /// How many frames of `frame_bytes` have their fill in a buffer.
    struct Layout {
        const std::byte* buffer = nullptr;
        std::size_t frame_bytes = 0, frames = 0;
    };

    void queue_reply(const QueuedReply& reply);
    AnswerStream& stream_of(const Address& source);
    Layout& layout_of(const std::byte* buffer, std::size_t frame_bytes);

    AnsweringSinkOptions options_;
    Sink sink_;
    AnswerCounters counts_;
    SplitMix64 random_;
    LruTable<Address, AnswerStream> streams_;
    RingQueue<QueuedReply> queued_;
    std::uint32_t queued_count_ = 0;  ///< replies in queued_
    std::array<Layout, limits::transmit_buffers_max> layouts_{};
    std::size_t next_layout_ = 0;
};

}  // namespace ringpost::traffic
