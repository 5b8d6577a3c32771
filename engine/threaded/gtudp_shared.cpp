// Every submit(), cancel(), tally() and stop() leaves something for the loop and then wakes it (wake_up.hpp). When the
// loop has finished, what is left in `commands` is cancelled: by finish(), or by whoever comes later.

#include "engine/threaded/gtudp_shared.hpp"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace ringpost::gtudp {
namespace {

std::uint32_t places(std::uint32_t wanted) { return std::bit_ceil(std::clamp(wanted, 2u, 1u << 20)); }
std::uint32_t large_places(std::uint32_t wanted) { return std::max(places(wanted) / large_share, 2u); }

}  // namespace

Shared::Shared(const OpenOptions& options)
    : commands(2 * places(options.sends_max)),  // every slot's send, and as many cancels
      outcomes(places(options.sends_max)),
      inbox(2 * places(options.receives_max)),
      slots(new Slot[places(options.sends_max)]),
      free_slots(0, places(options.sends_max)),
      outgoing(places(options.sends_max), large_places(options.sends_max)),
      incoming(places(options.receives_max), large_places(options.receives_max)),
      data_bytes_max_(options.protocol.codec.data_bytes_max()) {}

// ---- users ----------------------------------------------------------------------------------------

std::expected<Ticket, SendRefusal> Shared::submit(const Address& peer, std::span<const std::byte> bytes,
                                                  Instant deadline, bool waited) {
    if (bytes.size() > data_bytes_max_) return std::unexpected(SendRefusal::too_large);
    if (stopping()) return std::unexpected(SendRefusal::stopped);
    const auto index = free_slots.take();
    if (!index) return std::unexpected(SendRefusal::queue_full);
    const auto block = outgoing.take(bytes.size());
    if (!block) {
        free_slots.give(*index);
        return std::unexpected(SendRefusal::queue_full);
    }
    if (!bytes.empty()) std::memcpy(outgoing.memory(*block).data(), bytes.data(), bytes.size());
    Slot& slot = slots[*index];
    slot.progress.store(Slot::pending, std::memory_order_relaxed);
    slot.waited = waited;
    ++slot.generation;
    slot.peer = peer;
    slot.deadline = deadline;
    slot.block = *block;
    slot.bytes = static_cast<std::uint32_t>(bytes.size());
    const Ticket ticket{std::uint64_t{slot.generation} << 32 | *index};
    if (!commands.try_push({Command::Kind::send, ticket})) {
        outgoing.give(*block);
        free_slots.give(*index);
        return std::unexpected(SendRefusal::queue_full);
    }
    if (wake_up_.nudge() == WakeUp::finished) cancel_leftovers();
    return ticket;
}

bool Shared::cancel(Ticket ticket) {
    if (stopping()) return true;  // which cancels everything
    if (!commands.try_push({Command::Kind::cancel, ticket})) return false;
    if (wake_up_.nudge() == WakeUp::finished) cancel_leftovers();
    return true;
}

SendResult Shared::wait_for(Ticket ticket) {
    Slot& slot = slots[slot_of(ticket)];
    std::uint32_t progress = Slot::pending;
    slot.progress.compare_exchange_strong(progress, Slot::waited_for, std::memory_order_acquire);
    while (slot.progress.load(std::memory_order_acquire) != Slot::ended)
        futex_wait(slot.progress, Slot::waited_for, never);
    const SendResult result = slot.result;
    free_slots.give(slot_of(ticket));
    return result;
}

std::optional<Ended> Shared::next_outcome(Instant deadline) {
    std::optional<SlotIndex> index;
    outcomes_bell.wait(deadline, [&] {
        const bool over = over_.load(std::memory_order_acquire);
        index = outcomes.try_pop();
        return index || over;
    });
    if (!index) return std::nullopt;
    const Slot& slot = slots[*index];
    const Ended ended{{std::uint64_t{slot.generation} << 32 | *index}, slot.peer, slot.result, slot.sends};
    free_slots.give(*index);
    return ended;
}

std::optional<Message> Shared::receive(Instant deadline) {
    std::optional<Arrived> arrived;
    inbox_bell.wait(deadline, [&] {
        const bool over = over_.load(std::memory_order_acquire);
        arrived = inbox.try_pop();
        return arrived || over;
    });
    if (!arrived) return std::nullopt;
    const auto bytes = incoming.memory(arrived->block).first(arrived->bytes);
    Message message{arrived->peer, {bytes.begin(), bytes.end()}, arrived->foreign};
    incoming.give(arrived->block);
    return message;
}

Shared::Tally Shared::tally() {
    const std::lock_guard lock(tally_mutex_);
    tally_state_.store(tally_asked, std::memory_order_release);  // after the last one has read told_
    if (wake_up_.nudge() == WakeUp::finished) return final_;
    while (tally_state_.load(std::memory_order_acquire) != tally_told) futex_wait(tally_state_, tally_asked, never);
    return told_;
}

void Shared::stop() {
    stopping_.store(true, std::memory_order_release);
    wake_up_.nudge();
}

// ---- the Worker -----------------------------------------------------------------------------------

bool Shared::settle(SlotIndex index, SendResult result, std::uint32_t sends) {
    Slot& slot = slots[index];
    slot.result = result;
    slot.sends = sends;
    if (!slot.waited) return false;
    // From the exchange on the slot may be somebody else's: it is not looked at again. Whoever has it then, and sleeps
    // on its word, is woken for no reason, which futex_wait() allows.
    if (slot.progress.exchange(Slot::ended, std::memory_order_acq_rel) == Slot::waited_for)
        futex_wake(slot.progress, everybody);
    return true;
}

void Shared::tell_tally(const Tally& tally) {
    told_ = tally;
    tally_state_.store(tally_told, std::memory_order_release);
    futex_wake(tally_state_, everybody);
}

void Shared::finish(const Tally& tally) {
    final_ = tally;
    wake_up_.finish();
    cancel_leftovers();
    if (tally_wanted()) tell_tally(tally);
    over_.store(true, std::memory_order_release);
    outcomes_bell.ring(everybody);
    inbox_bell.ring(everybody);
}

void Shared::cancel_leftovers() {
    while (const auto command = commands.try_pop()) {
        if (command->kind != Command::Kind::send) continue;
        const SlotIndex index = slot_of(command->ticket);
        outgoing.give(slots[index].block);
        if (settle(index, Outcome::cancelled, 0)) continue;
        // There is a place for each, once a thread that is just taking one out has done so.
        while (!outcomes.try_push(index)) sched_yield();
        outcomes_bell.ring(1);
    }
}

}  // namespace ringpost::gtudp
