// `next_` is the number that is to be delivered next. A run that begins there and meets nothing that is kept already is
// handed back to the caller, who delivers it from the packet: the usual case costs a comparison.
//
// Of other runs, each piece of messages that are new is copied to a block of the arena as it is, and each message gets
// a slot, found by its number, which points into the block. So runs may overlap in any way, and what is copied has
// been paid for. Messages that lie one after another in a block are delivered as one run again.
//
// A message in parts gets a block for all of it with its first part, with a bitmap of the bytes that are here behind
// it, and is complete when no byte is missing. Parts may overlap and repeat, too.
//
// Windows bound everything: a message counts with its cost when its first byte arrives, and the slots and the arena are
// large enough for everything that a peer sends in order, in whatever order it arrives. One that sends out of order can
// fill the arena behind a block that stays; what has no place then is its own loss.

#include "codec/native/channel/ordered.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "codec/base/check.hpp"

namespace ringpost::native {
namespace {

/// In the header of a block with a run: messages have their own lengths. Otherwise the header's stride and prefix are
/// those of the run; of a message in parts they are its bytes, and how many of them are missing.
constexpr std::uint32_t mixed_lengths = 0xffff'ffff;

/// The bytes of the bitmap behind a message in parts, and where it begins.
constexpr std::size_t bitmap_bytes(std::size_t total) { return (total + 63) / 64 * 8; }
constexpr std::size_t bitmap_at(std::size_t total) { return (total + 7) / 8 * 8; }

/// Sets bits [begin, end) and returns how many of them were not set before.
std::uint32_t set_bits(std::byte* bitmap, std::uint32_t begin, std::uint32_t end) {
    std::uint32_t fresh = 0;
    for (std::uint32_t at = begin; at < end;) {
        const std::uint32_t in_word = at % 64, here = std::min(end - at, 64 - in_word);
        const std::uint64_t mask = ~std::uint64_t{0} >> (64 - here) << in_word;
        std::uint64_t word = 0;
        std::byte* const place = bitmap + std::size_t{at} / 64 * sizeof(std::uint64_t);
        std::memcpy(&word, place, sizeof word);
        fresh += static_cast<std::uint32_t>(std::popcount(mask & ~word));
        word |= mask;
        std::memcpy(place, &word, sizeof word);
        at += here;
    }
    return fresh;
}

}  // namespace

OrderedIncoming::OrderedIncoming(std::uint64_t window, std::uint32_t message_bytes_max)
    : credit_(window),
      message_bytes_max_(message_bytes_max),
      slots_(std::bit_ceil(std::max<std::uint64_t>(window / message_overhead, 256))),
      mask_(slots_.size() - 1),
      arena_(4 * window + (64u << 10)) {
    RINGPOST_CHECK(message_cost(message_bytes_max) <= window);
}

bool OrderedIncoming::too_large(const Run& run) const {
    if (run.bytes <= message_bytes_max_) return false;
    if (run.stride > 0) return run.stride - run.prefix > message_bytes_max_;
    std::size_t largest = 0;
    run.for_each([&](std::span<const std::byte> message) { largest = std::max(largest, message.size()); });
    return largest > message_bytes_max_;
}

std::uint32_t OrderedIncoming::count_absent(std::uint64_t number, std::uint32_t most) const {
    std::uint32_t count = 0;
    while (count < most && is_absent(number + count)) ++count;
    return count;
}

std::uint32_t OrderedIncoming::count_known(std::uint64_t number, std::uint32_t most) const {
    std::uint32_t count = 0;
    while (count < most && !is_absent(number + count)) ++count;
    return count;
}

Intake OrderedIncoming::on_messages(std::uint32_t first, Run& run, bool direct_allowed, ReceiveCredit& connection,
                                    std::uint64_t& number, std::uint64_t& cost) {
    if (too_large(run)) return Intake::violation;
    number = full(first);
    const auto before = static_cast<std::int64_t>(next_ - number);
    if (before >= std::int64_t{run.count}) return Intake::duplicate;
    if (before > 0) {
        run = run.without_first(static_cast<std::uint32_t>(before));
        number = next_;
    }
    if (number + run.count - next_ > mask_ + 1) return Intake::violation;
    if (number != next_ || !direct_allowed || (kept_ > 0 && count_absent(number, run.count) < run.count))
        return store(number, run, connection);
    cost = run.payload_bytes() + message_overhead * run.count;
    if (!credit_.receive(cost) || !connection.receive(cost)) return Intake::violation;
    next_ += run.count;
    return Intake::direct;
}

Intake OrderedIncoming::store(std::uint64_t number, Run run, ReceiveCredit& connection) {
    Intake intake = Intake::duplicate;
    for (;;) {
        const std::uint32_t known = count_known(number, run.count);
        if (known > 0) {
            const Intake completed = complete_parts(number, run.first(known));
            if (completed != Intake::duplicate) intake = completed;
        }
        if (known == run.count || intake == Intake::violation) return intake;
        if (known > 0) run = run.without_first(known);
        number += known;
        const std::uint32_t absent = count_absent(number, run.count);
        intake = store_absent(number, run.first(absent), connection);
        if (intake != Intake::stored || absent == run.count) return intake;
        run = run.without_first(absent);
        number += absent;
    }
}

/// Messages that are kept or begun: those of which parts are missing are here now, as a sender may divide one anew.
Intake OrderedIncoming::complete_parts(std::uint64_t number, const Run& run) {
    Intake intake = Intake::duplicate;
    run.for_each([&](std::span<const std::byte> message) {
        Slot& its = slot(number++);
        if (its.state != SlotState::in_parts) return;
        if (message.size() != its.bytes) {
            intake = Intake::violation;
            return;
        }
        std::ranges::copy(message, arena_.bytes(its.block));
        arena_.header(its.block).prefix = 0;  // nothing is missing
        its.state = SlotState::complete;
        if (intake == Intake::duplicate) intake = Intake::stored;
    });
    return intake;
}

Intake OrderedIncoming::store_absent(std::uint64_t number, const Run& run, ReceiveCredit& connection) {
    const Arena::Block block = arena_.allocate(run.bytes, run.count);
    if (block == Arena::none) return Intake::no_room;
    if (run.bytes > 0) std::memcpy(arena_.bytes(block), run.at, run.bytes);
    arena_.header(block).stride = run.stride;
    arena_.header(block).prefix = run.stride == 0 && run.bytes > 0 ? mixed_lengths : run.prefix;
    std::uint64_t cost = 0;
    run.for_each([&](std::span<const std::byte> message) {
        const auto at = static_cast<std::uint32_t>(message.data() - run.at);
        slot(number++) = {block, at, static_cast<std::uint32_t>(message.size()), SlotState::complete};
        cost += message_cost(message.size());
    });
    kept_ += run.count;
    return credit_.receive(cost) && connection.receive(cost) ? Intake::stored : Intake::violation;
}

Intake OrderedIncoming::begin_parts(std::uint64_t number, const FragmentFrame& frame, ReceiveCredit& connection) {
    if (frame.total > message_bytes_max_) return Intake::violation;
    const std::uint64_t cost = message_cost(frame.total);
    if (!credit_.fits(cost) || !connection.fits(cost)) return Intake::violation;
    const Arena::Block block = arena_.allocate(bitmap_at(frame.total) + bitmap_bytes(frame.total), 1);
    if (block == Arena::none) return Intake::no_room;
    credit_.receive(cost);
    connection.receive(cost);
    arena_.header(block).stride = arena_.header(block).prefix = frame.total;
    std::memset(arena_.bytes(block) + bitmap_at(frame.total), 0, bitmap_bytes(frame.total));
    slot(number) = {block, 0, frame.total, SlotState::in_parts};
    ++kept_;
    return Intake::stored;
}

Intake OrderedIncoming::on_fragment(const FragmentFrame& frame, ReceiveCredit& connection) {
    const std::uint64_t number = full(frame.number);
    if (static_cast<std::int64_t>(next_ - number) > 0) return Intake::duplicate;
    if (number - next_ > mask_) return Intake::violation;
    Slot& its = slot(number);
    if (its.state == SlotState::complete) return Intake::duplicate;
    if (its.state == SlotState::absent) {
        const Intake begun = begin_parts(number, frame, connection);
        if (begun != Intake::stored) return begun;
    }
    Arena::Header& header = arena_.header(its.block);
    if (header.stride != frame.total) return Intake::violation;
    std::byte* const bytes = arena_.bytes(its.block);
    const auto end = static_cast<std::uint32_t>(frame.offset + frame.bytes.size());
    const std::uint32_t fresh = set_bits(bytes + bitmap_at(frame.total), frame.offset, end);
    if (fresh == 0) return Intake::duplicate;
    std::memcpy(bytes + frame.offset, frame.bytes.data(), frame.bytes.size());
    header.prefix -= fresh;
    if (header.prefix == 0) its.state = SlotState::complete;
    return Intake::stored;
}

OrderedIncoming::Kept OrderedIncoming::take() {
    const Slot& first = slot(next_);
    const Arena::Header& header = arena_.header(first.block);
    const bool mixed = header.prefix == mixed_lengths;
    Kept kept{next_, {}, first.block};
    const std::uint32_t prefix = mixed ? static_cast<std::uint32_t>(integer_bytes(first.bytes)) : header.prefix;
    std::uint32_t end = first.at;
    for (;; ++kept.run.count) {
        Slot& its = slot(next_);
        if (its.state != SlotState::complete || its.block != first.block || (kept.run.count > 0 && its.at < end)) break;
        // In a block, the next message begins right behind this one, or after messages that were there before.
        if (kept.run.count > 0 && its.at != end + (mixed ? integer_bytes(its.bytes) : header.prefix)) break;
        end = its.at + its.bytes;
        kept.cost += message_cost(its.bytes);
        its.state = SlotState::absent;
        ++next_;
    }
    kept_ -= kept.run.count;
    const std::byte* const from = arena_.bytes(first.block) + first.at - prefix;
    kept.run.at = from;
    kept.run.bytes = end - (first.at - prefix);
    kept.run.stride = header.stride;
    kept.run.prefix = mixed ? 0 : header.prefix;
    return kept;
}

Arena::Block OrderedIncoming::keep(Run& run) {
    const Arena::Block block = arena_.allocate(run.bytes, run.count);
    if (block == Arena::none) return block;
    if (run.bytes > 0) std::memcpy(arena_.bytes(block), run.at, run.bytes);
    run.at = arena_.bytes(block);
    return block;
}

}  // namespace ringpost::native
