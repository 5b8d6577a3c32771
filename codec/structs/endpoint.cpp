// Received datagrams are queued unmodified and scanned when the application polls for events, so events are views of
// the datagram and nothing is copied twice. Messages to send are queued in order; consecutive ones of equal length and
// destination form a train, which a shorter one may end.

#include "codec/structs/endpoint.hpp"

#include <utility>

#include "codec/base/limits.hpp"

namespace ringpost::structs {

Endpoint::Endpoint(const Library& library, SocketIndex socket)
    : library_(library),
      socket_(socket),
      outgoing_(limits::struct_queue_bytes),
      received_(limits::struct_queue_bytes) {}

std::expected<void, Refusal> Endpoint::refuse(Refusal refusal) {
    switch (refusal) {
        case Refusal::unknown_id: ++counts_.refused_unknown_id; break;
        case Refusal::wrong_size: ++counts_.refused_wrong_size; break;
        case Refusal::too_large: ++counts_.refused_too_large; break;
        case Refusal::queue_full: ++counts_.refused_queue_full; break;
        case Refusal::bad_peer: break;  // counted by the driver, which knows the sockets
    }
    return std::unexpected(refusal);
}

std::expected<void, Refusal> Endpoint::send(const Address& to, const Packet& packet) {
    const auto known = library_.resolve(packet);
    if (!known) return refuse(known.error() == MessageError::unknown_id ? Refusal::unknown_id : Refusal::wrong_size);
    if (packet.payload.size() > limits::datagram_bytes_max - header_bytes) return refuse(Refusal::too_large);
    if (!outgoing_.push({to, packet.id}, packet.payload)) return refuse(Refusal::queue_full);
    return {};
}

std::optional<Transmit> Endpoint::poll_transmit(Instant, std::span<std::byte> out) {
    auto next = outgoing_.front();
    if (!next) return std::nullopt;
    const Address to = next->header.to;
    const std::size_t segment_bytes = header_bytes + next->bytes.size();
    std::size_t bytes = 0;
    std::size_t count = 0;
    std::size_t last_bytes = segment_bytes;
    while (next && last_bytes == segment_bytes && count < limits::train_segments_max && next->header.to == to &&
           header_bytes + next->bytes.size() <= segment_bytes &&
           bytes + header_bytes + next->bytes.size() <= limits::datagram_bytes_max) {
        last_bytes = encode({next->header.id, next->bytes}, out.subspan(bytes));
        bytes += last_bytes;
        ++count;
        outgoing_.pop();
        next = outgoing_.front();
    }
    counts_.sent += count;
    return Transmit{to, socket_, bytes, segment_bytes};
}

void Endpoint::handle(Instant, const Datagram& in) {
    ++counts_.received;
    if (!received_.push(in.source, in.bytes)) ++counts_.app_behind;
}

void Endpoint::count_failure(FrameError error) {
    switch (error) {
        case FrameError::no_magic: break;  // never returned by a Scanner
        case FrameError::past_end: ++counts_.past_end; break;
        case FrameError::size_small: ++counts_.size_small; break;
        case FrameError::checksum: ++counts_.checksum; break;
    }
}

Event Endpoint::event_of(const Packet& packet) {
    Event event;
    event.id = packet.id;
    event.payload = packet.payload;
    event.definition = library_.find(packet.id);
    if (const auto resolved = library_.resolve(packet)) {
        ++counts_.messages;
    } else if (resolved.error() == MessageError::unknown_id) {
        event.kind = Event::Kind::unknown_id;
        ++counts_.unknown_id;
    } else {
        event.kind = Event::Kind::wrong_size;
        ++counts_.wrong_size;
    }
    return event;
}

void Endpoint::finish_datagram() {
    counts_.skipped_bytes += scanner_->skipped();
    counts_.without_packet += packet_found_ ? 0 : 1;
    packet_found_ = false;
    scanner_.reset();
    received_.pop();
}

std::optional<Event> Endpoint::poll_event() {
    while (true) {
        if (!scanner_) {
            const auto received = received_.front();
            if (!received) return std::nullopt;
            scanner_.emplace(received->bytes);
        }
        const Address source = received_.front()->header;
        Event damage;
        damage.kind = Event::Kind::damage;
        damage.source = source;
        auto found = pending_packet_ ? std::exchange(pending_packet_, std::nullopt) : scanner_->next();
        for (; found && !found->packet; found = scanner_->next()) {
            if (damage.failures++ == 0) {
                damage.offset = found->offset;
                damage.error = found->packet.error();
            }
            count_failure(found->packet.error());
        }
        if (damage.failures > 0) {
            pending_packet_ = found;
            return damage;
        }
        if (found) {
            packet_found_ = true;
            Event event = event_of(*found->packet);
            event.source = source;
            event.offset = found->offset;
            return event;
        }
        finish_datagram();
    }
}

}  // namespace ringpost::structs
