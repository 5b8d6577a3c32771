// Each Transmit occupies one buffer. It is divided into messages of at most `train_segments` segments. A message is
// identified by its buffer and its first segment, so one table holds whole trains and, after a split, single datagrams.

#include "engine/udp/outbox.hpp"

#include <algorithm>
#include <bit>

#include "codec/base/check.hpp"

namespace ringpost {

// The queue's counters wrap around in both directions.
static_assert(std::has_single_bit(limits::transmit_buffers_max * limits::train_segments_max));

Outbox::Outbox(std::size_t train_segments)
    : train_segments_(std::clamp<std::size_t>(train_segments, 1, limits::train_segments_max)),
      memory_(new std::byte[limits::transmit_buffers_max * stride]),
      buffers_(limits::transmit_buffers_max),
      messages_(limits::transmit_buffers_max * limits::train_segments_max),
      queue_(messages_.size()) {
    for (std::size_t i = limits::transmit_buffers_max; i-- > 0;) free_.push_back(static_cast<std::uint16_t>(i));
}

std::span<std::byte> Outbox::buffer() {
    if (free_.empty()) return {};
    return {memory(free_.back()), limits::datagram_bytes_max};
}

void Outbox::post(const Transmit& transmit, const UdpSocket& socket) {
    const std::size_t segments = segment_count(transmit.bytes, transmit.segment_bytes);
    RINGPOST_CHECK(!free_.empty() && segments <= limits::train_segments_max &&
                   transmit.bytes <= limits::datagram_bytes_max);
    const std::uint16_t id = free_.back();
    free_.pop_back();
    Buffer& buffer = buffers_[id];
    buffer.socket = transmit.socket;
    buffer.messages_left = 0;
    buffer.segment_bytes = transmit.segment_bytes;
    const bool connected = transmit.destination.family == Family::none;
    buffer.destination_bytes =
        connected ? 0 : to_socket_address(transmit.destination, socket.family(), buffer.destination);
    const bool singles =
        transmit.socket < refused_bytes_.size() && transmit.segment_bytes >= refused_bytes_[transmit.socket];
    const std::size_t per_message = singles ? 1 : train_segments_;
    buffer.control = SendControl(socket.reports_local() ? transmit.local : Address{},
                                 connected ? socket.peer().family : transmit.destination.family, transmit.hop_limit,
                                 per_message > 1 ? static_cast<std::uint16_t>(transmit.segment_bytes) : 0);
    queue_messages(id, 0, segments, per_message, transmit.bytes);
}

/// Builds and queues the messages for segments [first, end) of a buffer whose train is `bytes` long.
void Outbox::queue_messages(std::uint16_t id, std::size_t first, std::size_t end, std::size_t per_message,
                            std::size_t bytes) {
    Buffer& buffer = buffers_[id];
    for (std::size_t at = first; at < end; at += per_message) {
        const MessageId message_id{id, static_cast<std::uint16_t>(at)};
        Message& message = messages_[index(message_id)];
        const std::size_t offset = at * buffer.segment_bytes;
        message.segments = static_cast<std::uint32_t>(std::min(per_message, end - at));
        message.vector = {memory(id) + offset, std::min(message.segments * buffer.segment_bytes, bytes - offset)};
        message.header = {};
        message.header.msg_name = buffer.destination_bytes > 0 ? &buffer.destination : nullptr;
        message.header.msg_namelen = buffer.destination_bytes;
        message.header.msg_iov = &message.vector;
        message.header.msg_iovlen = 1;
        buffer.control.attach(message.header,
                              message.segments > 1 ? SendControl::Holds::train : SendControl::Holds::datagram);
        ++buffer.messages_left;
        push_back(message_id);
    }
}

std::span<const std::byte> Outbox::bytes(MessageId id) const {
    const iovec& vector = messages_[index(id)].vector;
    return {static_cast<const std::byte*>(vector.iov_base), vector.iov_len};
}

bool Outbox::is_plain(MessageId id) const {
    const msghdr& header = messages_[index(id)].header;
    return header.msg_namelen == 0 && header.msg_controllen == 0;
}

bool Outbox::uses(SocketIndex socket) const {
    return std::ranges::any_of(
        buffers_, [&](const Buffer& buffer) { return buffer.messages_left > 0 && buffer.socket == socket; });
}

void Outbox::done(MessageId id) {
    if (--buffers_[id.buffer].messages_left == 0) free_.push_back(id.buffer);
}

void Outbox::split(MessageId id, Place place) {
    const Message whole = messages_[index(id)];
    const std::size_t end_bytes = id.segment * buffers_[id.buffer].segment_bytes + whole.vector.iov_len;
    --buffers_[id.buffer].messages_left;
    queue_messages(id.buffer, id.segment, id.segment + whole.segments, 1, end_bytes);
    if (place == Place::last) return;
    for (std::uint32_t i = 0; i < whole.segments; ++i) push_front(queue_[--queue_end_ % queue_.size()]);
}

bool Outbox::latch_singles(MessageId id, Refused refused) {
    const SocketIndex socket = buffers_[id.buffer].socket;
    if (socket >= refused_bytes_.size()) refused_bytes_.resize(socket + 1, SIZE_MAX);
    const bool first = refused_bytes_[socket] == SIZE_MAX;
    const std::size_t from_bytes = refused == Refused::all ? 0 : buffers_[id.buffer].segment_bytes;
    refused_bytes_[socket] = std::min(refused_bytes_[socket], from_bytes);
    return first;
}

void Outbox::unlatch(SocketIndex socket) {
    if (socket < refused_bytes_.size()) refused_bytes_[socket] = SIZE_MAX;
}

}  // namespace ringpost
