// New messages are taken from the log in order. A packet's share is found by walking the lengths; where messages have
// one length, as usual, the place of each is known in advance and only compared. A message that does not fit is cut
// into parts if it is larger than a packet, or if the caller wants the packet filled.
//
// The slices between the oldest unacknowledged one and the newest are in a ring. A slice is in one of three states:
//
//     in flight   in at least one packet whose fate is unknown (`copies` counts them)
//     lost        its last copy was lost: its bit is set in `lost_`, and it is sent again before anything new
//     acked       the peer has it
//
// When the oldest one is acknowledged, it and those after it that are acknowledged too leave the ring, and their bytes
// leave the log.

#include "codec/native/channel/outgoing.hpp"

#include <algorithm>
#include <bit>

#include "codec/base/check.hpp"

namespace ringpost::native {
namespace {

/// Parts smaller than this are not worth a frame, except the last of a message.
constexpr std::size_t part_bytes_min = 48;

std::uint32_t slices_for(std::size_t log_bytes) {
    return static_cast<std::uint32_t>(
        std::clamp<std::size_t>(log_bytes / 64, 64, limits::native_packets_in_flight_max));
}

}  // namespace

Outgoing::Outgoing(std::uint8_t channel, std::size_t log_bytes, std::uint64_t window)
    : channel_(channel),
      log_(log_bytes),
      credit_(window),
      slices_(slices_for(log_bytes)),
      lost_(slices_for(log_bytes) / 64),
      mask_(slices_for(log_bytes) - 1) {}

std::uint64_t Outgoing::acknowledged() const {
    // Parts of one message count once.
    const auto low = static_cast<std::uint32_t>(next_number_);
    return next_number_ - (begin_ == end_ ? std::uint32_t{in_parts_} : low - slices_[begin_ & mask_].first);
}

std::uint64_t Outgoing::count_unacked() const {
    if (all_acked()) return 0;
    std::uint64_t count = next_number_ - acknowledged();
    std::uint64_t position = log_.sent() + (in_parts_ ? part_total_ - part_done_ : 0);
    for (const std::uint64_t head = log_.head(); position < head; ++count) {
        std::uint32_t prefix = 0;
        const std::uint32_t length = log_.length_at(position, prefix);
        position += prefix + length;
    }
    return count;
}

/// How many messages of `bytes` follow each other from `position` on, which holds at least one: at most `most`. Their
/// lengths take one byte.
std::uint32_t Outgoing::repeated(std::uint64_t position, std::uint32_t bytes, std::uint32_t most) const {
    const std::span<const std::byte> ring = log_.contiguous(position);
    most = static_cast<std::uint32_t>(std::min<std::size_t>(most, (ring.size() + bytes - 1) / bytes));
    const std::byte* next = ring.data();
    const std::byte length = *next;
    std::uint32_t count = 1;
    for (next += bytes; count < most && *next == length; next += bytes) ++count;
    return count;
}

Outgoing::Batch Outgoing::measure(std::size_t room, std::uint64_t credit, std::uint64_t most_messages) const {
    const auto count_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(UINT8_MAX, most_messages));
    Batch batch;
    const std::uint64_t from = log_.sent(), head = log_.head();
    while (batch.count < count_max && from + batch.bytes < head) {
        std::uint32_t prefix = 0;
        const std::uint32_t length = log_.length_at(from + batch.bytes, prefix), bytes = prefix + length;
        if (bytes > room - batch.bytes) break;
        const std::uint64_t cost = message_cost(length);
        if (cost > credit - batch.cost) {
            batch.no_credit = true;
            break;
        }
        std::uint32_t count = 1;
        if (prefix == 1) {
            const std::uint64_t most = std::min({std::uint64_t{count_max - batch.count}, (room - batch.bytes) / bytes,
                                                 (head - from - batch.bytes) / bytes, (credit - batch.cost) / cost});
            count = repeated(from + batch.bytes, bytes, static_cast<std::uint32_t>(most));
        }
        batch.count += count;
        batch.bytes += count * bytes;
        batch.cost += count * cost;
    }
    return batch;
}

Outgoing::Packed Outgoing::pack_new(FrameWriter& out, const Room& room, std::uint32_t& slice) {
    if (!has_new()) return Packed::nothing;
    if (end_ - begin_ > mask_) return Packed::no_slices;
    if (in_parts_) return pack_part(out, slice);
    if (out.room() <= messages_header_bytes) return Packed::no_room;
    const bool paid = next_number_ < paid_;
    const std::uint64_t credit = paid ? UINT64_MAX : std::min(credit_.left(), room.connection->left());
    const Batch batch = measure(out.room() - messages_header_bytes, credit, paid ? paid_ - next_number_ : UINT64_MAX);
    if (batch.count == 0) {
        if (batch.no_credit) return Packed::no_credit;
        std::uint32_t prefix = 0;
        const std::uint32_t length = log_.length_at(log_.sent(), prefix);
        const bool larger_than_a_packet = messages_header_bytes + prefix + length > room.whole;
        if (!larger_than_a_packet && !room.fill) return Packed::no_room;
        if (out.room() < fragment_header_bytes + part_bytes_min) return Packed::no_room;
        if (message_cost(length) > credit) return Packed::no_credit;
        if (!paid) {
            credit_.use(message_cost(length));
            room.connection->use(message_cost(length));
        }
        in_parts_ = true;
        part_total_ = length;
        part_done_ = 0;
        part_prefix_ = static_cast<std::uint8_t>(prefix);
        log_.set_sent(log_.sent() + prefix);
        ++next_number_;
        return pack_part(out, slice);
    }
    const std::uint64_t from = log_.sent();
    std::byte* body = out.messages(FrameType::messages, channel_, static_cast<std::uint32_t>(next_number_),
                                   static_cast<std::uint8_t>(batch.count), batch.bytes);
    log_.copy(from, {body, batch.bytes});
    slice = add_slice({static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(next_number_), 0,
                       static_cast<std::uint16_t>(batch.bytes), static_cast<std::uint8_t>(batch.count), 1});
    log_.set_sent(from + batch.bytes);
    next_number_ += batch.count;
    if (!paid) {
        credit_.use(batch.cost);
        room.connection->use(batch.cost);
    }
    return Packed::written;
}

Outgoing::Packed Outgoing::pack_part(FrameWriter& out, std::uint32_t& slice) {
    const std::uint32_t left = part_total_ - part_done_;
    const std::size_t room = out.room();
    if (room <= fragment_header_bytes || room - fragment_header_bytes < std::min<std::size_t>(left, part_bytes_min))
        return Packed::no_room;
    const std::size_t fits = std::min<std::size_t>(room - fragment_header_bytes, UINT16_MAX);
    const auto bytes = static_cast<std::uint16_t>(std::min<std::size_t>(left, fits));
    const Slice made{static_cast<std::uint32_t>(log_.sent()),
                     static_cast<std::uint32_t>(next_number_ - 1),
                     part_done_,
                     bytes,
                     part_prefix_,
                     static_cast<std::uint8_t>(part | 1)};
    if (!write_slice(out, made)) return Packed::no_room;
    slice = add_slice(made);
    log_.set_sent(log_.sent() + bytes);
    part_done_ += bytes;
    in_parts_ = part_done_ < part_total_;
    return Packed::written;
}

bool Outgoing::write_slice(FrameWriter& out, const Slice& slice) {
    // Positions in the log are known to 32 bits; the rest follows from the log's beginning.
    const std::uint64_t una = log_.una();
    const std::uint64_t position = una + (slice.position - static_cast<std::uint32_t>(una));
    if ((slice.state & part) == 0) {
        std::byte* body = out.messages(FrameType::messages, channel_, slice.first, slice.count, slice.bytes);
        if (body != nullptr) log_.copy(position, {body, slice.bytes});
        return body != nullptr;
    }
    std::uint32_t prefix = 0;
    const std::uint32_t total = log_.length_at(position - slice.offset - slice.count, prefix);
    std::byte* body = out.fragment(FrameType::fragment, channel_, slice.first, total, slice.offset, slice.bytes);
    if (body != nullptr) log_.copy(position, {body, slice.bytes});
    return body != nullptr;
}

std::uint32_t Outgoing::add_slice(const Slice& slice) {
    at(end_) = slice;
    return end_++;
}

Outgoing::Packed Outgoing::pack_lost(FrameWriter& out, std::uint32_t& slice) {
    if (lost_count_ == 0) return Packed::nothing;
    if (lost_from_ - begin_ >= end_ - begin_) lost_from_ = begin_;
    std::uint32_t found = lost_from_;
    for (;;) {
        const std::uint64_t word = lost_[(found & mask_) / 64] >> (found % 64);
        if (word != 0) {
            found += static_cast<std::uint32_t>(std::countr_zero(word));
            break;
        }
        found += 64 - found % 64;
        RINGPOST_CHECK(found - begin_ < end_ - begin_ + 64);
    }
    lost_from_ = found;
    Slice& lost = at(found);
    if (!write_slice(out, lost)) return Packed::no_room;
    set_lost(found, false);
    ++lost.state;
    slice = found;
    return Packed::written;
}

Outgoing::Packed Outgoing::pack_again(FrameWriter& out, std::uint32_t slice) {
    if (!is_known(slice)) return Packed::nothing;
    Slice& again = at(slice);
    if ((again.state & acked) != 0 || (again.state & copies) == copies) return Packed::nothing;
    if (!write_slice(out, again)) return Packed::no_room;
    if ((again.state & copies) == 0) set_lost(slice, false);
    ++again.state;
    return Packed::written;
}

void Outgoing::set_lost(std::uint32_t slice, bool lost) {
    std::uint64_t& word = lost_[(slice & mask_) / 64];
    const std::uint64_t bit = std::uint64_t{1} << slice % 64;
    if (((word & bit) != 0) == lost) return;
    word ^= bit;
    lost_count_ += lost ? 1u : ~0u;
    if (lost_from_ - begin_ >= end_ - begin_) lost_from_ = begin_;
    if (lost && (lost_count_ == 1 || slice - begin_ < lost_from_ - begin_)) lost_from_ = slice;
}

void Outgoing::on_acked(std::uint32_t slice) {
    if (!is_known(slice)) return;
    at(slice).state |= acked;
    set_lost(slice, false);
    if (slice == begin_) free_acked();
}

void Outgoing::free_acked() {
    std::uint32_t end = 0;
    for (; begin_ != end_ && (at(begin_).state & acked) != 0; ++begin_) end = at(begin_).position + at(begin_).bytes;
    // The length of a message stays until all of its parts are acknowledged.
    const Slice& next = at(begin_);
    if (begin_ != end_ && (next.state & part) != 0)
        end = next.position - next.offset - next.count;
    else if (begin_ == end_ && in_parts_)
        end = static_cast<std::uint32_t>(log_.sent()) - part_done_ - part_prefix_;
    const std::uint64_t una = log_.una();
    log_.free_up_to(una + (end - static_cast<std::uint32_t>(una)));
}

void Outgoing::rewind() {
    paid_ = std::max(paid_, next_number_);
    next_number_ = acknowledged();
    log_.set_sent(log_.una());
    in_parts_ = false;
    for (; begin_ != end_; ++begin_) set_lost(begin_, false);
}

void Outgoing::on_lost(std::uint32_t slice) {
    if (!is_known(slice)) return;
    Slice& lost = at(slice);
    --lost.state;
    if ((lost.state & (acked | copies)) == 0) set_lost(slice, true);
}

}  // namespace ringpost::native
