// What arrives at an endpoint: short packets go to their connection, or to the handshake that they complete; long ones
// to the responder, or to the initiator that they answer.

#include <algorithm>
#include <utility>
#include <variant>

#include "codec/native/endpoint.hpp"
#include "codec/native/endpoint_slot.hpp"

namespace ringpost::native {

void Endpoint::handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) {
    if (train.bytes.empty()) {
        ++counts_.foreign;
        return;
    }
    // See RetainingEndpoint.
    const std::span bytes(const_cast<std::byte*>(train.bytes.data()), train.bytes.size());
    for (std::size_t at = 0; at < bytes.size(); at += segment_bytes) {
        const auto packet = bytes.subspan(at, std::min(segment_bytes, bytes.size() - at));
        switch (form_of(packet)) {
            case Form::foreign: ++counts_.foreign; break;
            case Form::short_packet: handle_short(now, train, packet); break;
            case Form::long_packet: handle_long(now, train, packet); break;
        }
    }
    last_ = nullptr;
}

void Endpoint::retain() {
    for (const std::uint32_t index : in_trains_)
        if (Slot& slot = *slots_[index]; slot.connection) slot.connection->retain();
    in_trains_.clear();
}

void Endpoint::note_in_train(const Slot& slot) {
    if (!in_trains_.empty() && in_trains_.back() == slot.index) return;
    if (in_trains_.size() == in_trains_.capacity()) retain();  // a batch of thousands of connections
    in_trains_.push_back(slot.index);
}

/// Packets of a train mostly have one id, which is looked up once.
void Endpoint::handle_short(Instant now, const Datagram& train, std::span<std::byte> packet) {
    const auto header = parse_short_header(packet);
    if (!header) {
        ++counts_.foreign;
        return;
    }
    if (last_ == nullptr || last_->local != header->id) {
        last_ = slot_of(by_id_, header->id);
        if (last_ == nullptr) return handle_unknown(now, train, packet);
        if (last_->connection) {
            touch(*last_);
            note_in_train(*last_);
        }
    }
    if (last_->peer != train.source) {
        ++counts_.other_source;
    } else if (!last_->connection) {
        ++counts_.early;
    } else if (!last_->admits(now, packet.size())) {
        ++counts_.over_rate;
    } else {
        last_->connection->handle(now, packet);
    }
}

/// The first packet of a handshake that the responder has answered, or one of a connection that is no more.
void Endpoint::handle_unknown(Instant now, const Datagram& train, std::span<std::byte> packet) {
    const std::uint64_t unconfirmed = responder_ ? responder_->counters().unconfirmed : 0;
    auto established = responder_ ? responder_->confirm(now, packet) : std::nullopt;
    if (!established) {
        if (responder_ && responder_->counters().unconfirmed > unconfirmed) return;
        ++counts_.unknown_id;
        const bool ours = parse_short_header(packet)->id.shard == shard_;
        if (responder_ && ours && answer(train, [&](auto out) { return responder_->reset(packet, out); }))
            ++counts_.resets_sent;
        return;
    }
    Slot* const slot = take_slot(train.source, train.path(), established->local);
    if (slot == nullptr) {
        ++counts_.refused_full;
        return;
    }
    establish(now, *slot, std::move(*established));
    touch(*slot);
    note_in_train(*slot);
    last_ = slot;
    slot->connection->handle(now, packet);
}

void Endpoint::handle_long(Instant now, const Datagram& train, std::span<std::byte> packet) {
    const auto parsed = parse_long(packet);
    if (!parsed || std::holds_alternative<InitPacket>(*parsed)) {
        if (responder_ && parsed && used_ == connections_max_)
            ++counts_.refused_full;  // the client asks again, and there may be a place then
        else if (responder_)
            answer(train, [&](auto out) { return responder_->handle(now, train.source, packet, out); });
        else
            ++counts_.not_expected;
        return;
    }
    if (const auto* reset = std::get_if<ResetPacket>(&*parsed)) return handle_reset(now, train.source, *reset);
    const Id destination = std::visit(
        [](const auto& known) {
            if constexpr (requires { known.destination; })
                return known.destination;
            else
                return Id{};
        },
        *parsed);
    Slot* const slot = slot_of(by_id_, destination);
    if (slot == nullptr || !slot->initiator || slot->peer != train.source) {
        ++counts_.not_expected;
        return;
    }
    slot->initiator->handle(now, packet);
    after_handshake(now, *slot);
    touch(*slot);
}

void Endpoint::handle_reset(Instant now, const Address& source, const ResetPacket& packet) {
    Slot* const slot = slot_of(by_remote_, packet.destination);
    if (slot == nullptr || !slot->connection || slot->peer != source ||
        !ends_connection(packet, slot->remote, slot->reset_token)) {
        ++counts_.bad_resets;
        return;
    }
    slot->connection->on_reset(now);
    touch(*slot);
}

void Endpoint::end_handshake(Slot& slot) {
    add_to(initiated_, slot.initiator->counters());
    slot.initiator.reset();
}

/// What the initiator has become.
void Endpoint::after_handshake(Instant now, Slot& slot) {
    if (slot.initiator->state() == Initiator::State::established) {
        establish(now, slot, slot.initiator->take());
        end_handshake(slot);
    } else if (slot.initiator->state() == Initiator::State::failed) {
        slot.failure = slot.initiator->failure();
        slot.state = Slot::State::failed;
        end_handshake(slot);
    }
}

/// Queues what `write` writes, and returns whether that is something.
template <class Write>
bool Endpoint::answer(const Datagram& to, Write&& write) {
    if (answers_->full()) {
        ++counts_.answers_dropped;
        return false;
    }
    Answer out{to.source, to.path(), 0, {}};
    out.bytes = static_cast<std::uint16_t>(write(std::span<std::byte>(out.text)));
    return out.bytes > 0 && answers_->push(out);
}

}  // namespace ringpost::native
