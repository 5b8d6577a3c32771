#pragma once

// The send queue, shared by both backends: transmit buffers, trains divided into messages for the kernel, and their
// order.

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include "codec/base/limits.hpp"
#include "engine/os/address.hpp"
#include "engine/udp/control.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost {

/// Identifies one message for the kernel by its buffer and its first segment there.
struct MessageId {
    std::uint16_t buffer;
    std::uint16_t segment;
};

class Outbox {
  public:
    /// `train_segments` is the maximum per message; 1 sends every datagram separately.
    explicit Outbox(std::size_t train_segments);

    /// A buffer of limits::datagram_bytes_max for the next post(); empty while all are in use. Free buffers are reused
    /// last in, first out, so that a light load stays in the cache.
    std::span<std::byte> buffer();

    /// Divides the contents of the last buffer() into messages for `socket` and queues them.
    void post(const Transmit& transmit, const UdpSocket& socket);

    /// GSO is supported and enabled.
    bool sends_trains() const { return train_segments_ > 1; }
    bool empty() const { return queue_first_ == queue_end_; }
    MessageId front() const { return queue_[queue_first_ % queue_.size()]; }
    MessageId at(std::size_t offset) const { return queue_[(queue_first_ + offset) % queue_.size()]; }
    std::size_t size() const { return queue_end_ - queue_first_; }
    void pop() { ++queue_first_; }
    void push_back(MessageId id) { queue_[queue_end_++ % queue_.size()] = id; }
    void push_front(MessageId id) { queue_[--queue_first_ % queue_.size()] = id; }

    msghdr& header(MessageId id) { return messages_[index(id)].header; }
    /// Whether a message of this socket is queued, or with the kernel.
    bool uses(SocketIndex socket) const;
    SocketIndex socket(MessageId id) const { return buffers_[id.buffer].socket; }
    /// Nullopt: the peer that the socket is connected to.
    std::optional<Address> destination(MessageId id) const {
        const Buffer& buffer = buffers_[id.buffer];
        if (buffer.destination_bytes == 0) return std::nullopt;
        return from_socket_address(buffer.destination.any);
    }
    std::size_t segments(MessageId id) const { return messages_[index(id)].segments; }
    std::span<const std::byte> bytes(MessageId id) const;
    /// Without address and control data: send() suffices.
    bool is_plain(MessageId id) const;

    /// The kernel no longer uses the message. The last message of a buffer frees the buffer.
    void done(MessageId id);

    /// Queues each datagram of a train as a message of its own, at the front or at the back of the queue.
    enum class Place : std::uint8_t { first, last };
    void split(MessageId id, Place place);

    /// The path refused this train: from now on, send trains of this socket as single datagrams, either those with
    /// segments of at least this size, or all. True on the first call for a socket.
    enum class Refused : std::uint8_t { from_this_size, all };
    bool latch_singles(MessageId id, Refused refused);
    /// Forgets latch_singles() for an index that is reused for a new socket.
    void unlatch(SocketIndex socket);

    /// What a send error of a train (socket_errors.hpp: refuses_trains) implies: EIO refuses all trains, the others
    /// depend on the segment size.
    static Refused refused_by(int error) { return error == EIO ? Refused::all : Refused::from_this_size; }

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

    static constexpr std::size_t stride = 65'536;  // of buffers: a power of two above datagram_bytes_max

    std::size_t train_segments_;
    std::unique_ptr<std::byte[]> memory_;
    std::vector<Buffer> buffers_;
    std::vector<Message> messages_;
    std::vector<std::uint16_t> free_;
    std::vector<MessageId> queue_;
    std::size_t queue_first_ = 0, queue_end_ = 0;
    std::vector<std::size_t> refused_bytes_;  ///< by socket: trains with segments of at least this size are refused
};

}  // namespace ringpost
