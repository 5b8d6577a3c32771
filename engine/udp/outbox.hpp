#pragma once

// What both backends share of the way out: the buffers lent to endpoints, a train cut into the messages the kernel will
// take, and the order in which they leave.

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include "codec/base/limits.hpp"
#include "engine/os/address.hpp"
#include "engine/udp/control.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost {

/// One hand-over to the kernel: a buffer, and the segment of its train that the message begins with.
struct MessageId {
    std::uint16_t buffer;
    std::uint16_t segment;
};

class Outbox {
  public:
    /// `train_segments`: the most one message may hold; 1 sends every datagram by itself.
    explicit Outbox(std::size_t train_segments);

    /// A free buffer of limits::datagram_bytes_max for the next post(); empty while all are on their way.
    /// Free buffers are lent last in, first out, so that a light load stays in the processor's cache.
    std::span<std::byte> buffer();

    /// Cuts what was written into the last buffer() into messages for `socket` and queues them.
    void post(const Transmit& transmit, const UdpSocket& socket);

    /// The kernel takes trains and they were not turned off.
    bool sends_trains() const { return train_segments_ > 1; }
    bool empty() const { return queue_first_ == queue_end_; }
    MessageId front() const { return queue_[queue_first_ % queue_.size()]; }
    MessageId at(std::size_t offset) const { return queue_[(queue_first_ + offset) % queue_.size()]; }
    std::size_t size() const { return queue_end_ - queue_first_; }
    void pop() { ++queue_first_; }
    /// Queues a message again, behind those that are queued.
    void put_back(MessageId id) { queue_[queue_end_++ % queue_.size()] = id; }
    /// Queues a message again, before those that are queued.
    void put_first(MessageId id) { queue_[--queue_first_ % queue_.size()] = id; }

    msghdr& header(MessageId id) { return messages_[index(id)].header; }
    SocketIndex socket(MessageId id) const { return buffers_[id.buffer].socket; }
    std::size_t segments(MessageId id) const { return messages_[index(id)].segments; }
    std::span<const std::byte> bytes(MessageId id) const;
    /// No destination and no train: a plain send() does.
    bool plain(MessageId id) const;

    /// The kernel is through with the message; the last of a train's gives the buffer back.
    void done(MessageId id);

    /// Queues each datagram of a train as a message of its own, before or behind those that are queued: the path does
    /// not take trains.
    enum class Place : std::uint8_t { first, last };
    void split(MessageId id, Place place);

    /// From now on trains for this socket whose segments are as large as this message's, or larger, leave as single
    /// datagrams; with `all`, every train. True the first time.
    bool latch_singles(MessageId id, bool all);
    /// The index stands for a new socket, of which nothing is known.
    void unlatch(SocketIndex socket);

  private:
    struct Message {
        msghdr header;
        iovec vector;
        std::uint32_t segments;
    };
    struct Buffer {
        SocketIndex socket;
        std::uint32_t messages_left;
        std::size_t segment_bytes;
        SocketAddress destination;
        socklen_t destination_bytes;  ///< 0: the connected peer
        SendControl control;
    };

    static std::size_t index(MessageId id) { return id.buffer * limits::train_segments_max + id.segment; }
    std::byte* memory(std::uint16_t buffer) { return memory_.get() + buffer * stride; }
    void queue_messages(std::uint16_t id, std::size_t first, std::size_t end, std::size_t per_message,
                        std::size_t bytes);

    static constexpr std::size_t stride = 65'536;  // one buffer, a power of two above datagram_bytes_max

    std::size_t train_segments_;
    std::unique_ptr<std::byte[]> memory_;
    std::vector<Buffer> buffers_;
    std::vector<Message> messages_;
    std::vector<std::uint16_t> free_;
    std::vector<MessageId> queue_;
    std::size_t queue_first_ = 0, queue_end_ = 0;
    std::vector<std::size_t> refused_bytes_;  ///< by socket: segments from this size on are refused as trains
};

}  // namespace ringpost
