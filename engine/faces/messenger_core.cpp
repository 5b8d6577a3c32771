// In: a DATA is handed to the endpoint only when there is a block and a place in the inbox for its message, which goes
// there at once. So no message is acknowledged that cannot be delivered, and no outcome waits behind a message that is
// not received. For the endpoint a DATA without a place never arrived; its sender tries again.
//
// Out: a command names a slot; a send that the endpoint refuses ends at once.
//
// There is a place in the queue for every outcome, but a user who is suspended while taking one may bar the way to the
// free ones; then outcomes are held here until the next turn.

#include "engine/faces/messenger_core.hpp"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "codec/base/check.hpp"
#include "engine/os/futex.hpp"

namespace ringpost::gtudp {
namespace {

constexpr Duration hold_outcomes_for = millisecond;

std::uint32_t places(std::uint32_t wanted) { return std::bit_ceil(std::clamp(wanted, 2u, 1u << 20)); }
std::uint32_t large_places(std::uint32_t wanted) { return std::max(places(wanted) / large_share, 2u); }

/// The endpoint's own room for messages: it never holds more than one.
Options with_room_for_one(Options options) {
    options.event_bytes = 2 * BlockPool::large_bytes;
    return options;
}

SendRefusal to_send_refusal(Refusal refusal) {
    switch (refusal) {
        case Refusal::too_large: return SendRefusal::too_large;
        case Refusal::table_full: return SendRefusal::table_full;
        case Refusal::peer_full: return SendRefusal::peer_full;
        case Refusal::peers_full: return SendRefusal::peers_full;
        case Refusal::not_ready: break;
    }
    return SendRefusal::stopped;
}

}  // namespace

MessengerCore::MessengerCore(const OpenOptions& options, UdpSocket bound)
    : socket_(std::move(bound)),
      options_(with_room_for_one(options.protocol)),
      slots_(new Slot[places(options.sends_max)]),
      free_slots_(0, places(options.sends_max)),
      outgoing_(places(options.sends_max), large_places(options.sends_max)),
      incoming_(places(options.receives_max), large_places(options.receives_max)),
      outcomes_(places(options.sends_max)),
      inbox_(2 * places(options.receives_max)),
      in_flight_(places(options.sends_max)),
      slot_of_exchange_(options.protocol.sends_max),
      outcomes_held_(places(options.sends_max)) {}

std::uint32_t MessengerCore::commands_max(const OpenOptions& options) { return 2 * places(options.sends_max); }

// ---- users ----------------------------------------------------------------------------------------

std::expected<Ticket, SendRefusal> MessengerCore::take_slot(const Address& peer, std::span<const std::byte> bytes,
                                                            Instant deadline, OutcomeTo outcome_to) {
    if (bytes.size() > options_.codec.data_bytes_max()) return std::unexpected(SendRefusal::too_large);
    const auto index = free_slots_.take();
    if (!index) return std::unexpected(SendRefusal::queue_full);
    const auto block = outgoing_.take(bytes.size());
    if (!block) {
        free_slots_.give(*index);
        return std::unexpected(SendRefusal::queue_full);
    }
    if (!bytes.empty()) std::memcpy(outgoing_.memory(*block).data(), bytes.data(), bytes.size());
    Slot& slot = slots_[*index];
    slot.progress.store(Slot::pending, std::memory_order_relaxed);
    slot.outcome_to = outcome_to;
    ++slot.generation;
    slot.peer = peer;
    slot.deadline = deadline;
    slot.block = *block;
    slot.bytes = static_cast<std::uint32_t>(bytes.size());
    return ticket_of(*index);
}

void MessengerCore::give_back(Ticket ticket) {
    outgoing_.give(slots_[slot_of(ticket)].block);
    free_slots_.give(slot_of(ticket));
}

SendResult MessengerCore::wait_for(Ticket ticket) {
    Slot& slot = slots_[slot_of(ticket)];
    std::uint32_t progress = Slot::pending;
    slot.progress.compare_exchange_strong(progress, Slot::waited_for, std::memory_order_acquire);
    while (slot.progress.load(std::memory_order_acquire) != Slot::ended)
        futex_wait(slot.progress, Slot::waited_for, never);
    const SendResult result = slot.result;
    free_slots_.give(slot_of(ticket));
    return result;
}

std::optional<Ended> MessengerCore::next_outcome(Instant deadline) {
    const auto index = outcomes_.pop(deadline);
    if (!index) return std::nullopt;
    const Slot& slot = slots_[*index];
    const Ended ended{ticket_of(*index), slot.peer, slot.result, slot.sends};
    free_slots_.give(*index);
    return ended;
}

std::optional<Message> MessengerCore::receive(Instant deadline) {
    const auto arrived = inbox_.pop(deadline);
    if (!arrived) return std::nullopt;
    const auto bytes = incoming_.memory(arrived->block).first(arrived->bytes);
    Message message{arrived->peer, {bytes.begin(), bytes.end()}, arrived->foreign};
    incoming_.give(arrived->block);
    return message;
}

void MessengerCore::abandon(const Command& command) {
    if (command.kind != Command::Kind::send) return;
    const SlotIndex index = slot_of(command.ticket);
    outgoing_.give(slots_[index].block);
    if (!settle(index, Outcome::cancelled, 0)) outcomes_.push_late(index, sched_yield);
}

// ---- in -------------------------------------------------------------------------------------------

bool MessengerCore::admits(const Datagram& in) {
    if (reserve(in.bytes.size())) return true;
    const auto frame = options_.codec.decode(in.bytes);
    if (frame && frame->kind != Kind::data) return true;  // becomes no message
    ++(frame ? messages_refused_ : foreign_refused_);
    return false;
}

/// Whether there is room for a message of `bytes`.
bool MessengerCore::reserve(std::size_t bytes) {
    if (!inbox_.has_room()) return false;
    if (reserved_ && incoming_.memory(*reserved_).size() >= bytes) return true;
    const auto block = incoming_.take(bytes);
    if (!block) return false;
    if (reserved_) incoming_.give(*reserved_);
    reserved_ = block;
    return true;
}

void MessengerCore::on_event(Instant, const Event& event) {
    if (event.kind == Event::Kind::outcome) {
        end_send(slot_of_exchange_[event.id.index], event.outcome, event.sends);
        return;
    }
    RINGPOST_CHECK(reserved_.has_value());  // admits() saw to it
    const BlockPool::Block block = *std::exchange(reserved_, std::nullopt);
    if (!event.bytes.empty()) std::memcpy(incoming_.memory(block).data(), event.bytes.data(), event.bytes.size());
    const bool pushed = inbox_.try_push({.peer = event.peer,
                                         .block = block,
                                         .bytes = static_cast<std::uint32_t>(event.bytes.size()),
                                         .foreign = event.kind == Event::Kind::foreign});
    RINGPOST_CHECK(pushed);
}

// ---- out ------------------------------------------------------------------------------------------

void MessengerCore::run(Instant now, const Command& command) {
    const InFlight& in_flight = in_flight_[slot_of(command.ticket)];
    if (command.kind == Command::Kind::send)
        start(now, command.ticket);
    else if (in_flight.ticket == command.ticket)
        endpoint_->cancel(in_flight.exchange);
}

void MessengerCore::start(Instant now, Ticket ticket) {
    const SlotIndex index = slot_of(ticket);
    const Slot& slot = slots_[index];
    const auto bytes = outgoing_.memory(slot.block).first(slot.bytes);
    const auto exchange = endpoint_->send(now, slot.peer, bytes, slot.deadline);
    outgoing_.give(slot.block);
    if (exchange) {
        in_flight_[index] = {ticket, *exchange};
        slot_of_exchange_[exchange->index] = index;
    } else {
        end_send(index, std::unexpected(to_send_refusal(exchange.error())), 0);
    }
}

void MessengerCore::end_send(SlotIndex slot, SendResult result, std::uint32_t sends) {
    in_flight_[slot].ticket = {};
    if (settle(slot, result, sends)) return;
    const bool held = outcomes_held_.push(slot);
    RINGPOST_CHECK(held);  // each slot ends once before its outcome is taken
}

/// Gives a send its outcome; false when it is for the queue.
bool MessengerCore::settle(SlotIndex index, SendResult result, std::uint32_t sends) {
    Slot& slot = slots_[index];
    slot.result = result;
    slot.sends = sends;
    if (slot.outcome_to == OutcomeTo::queue) return false;
    // From the exchange on the slot may have another owner, and is not read again. Waking a thread that sleeps on its
    // word for another reason does no harm.
    if (slot.progress.exchange(Slot::ended, std::memory_order_acq_rel) == Slot::waited_for)
        futex_wake(slot.progress, everybody);
    return true;
}

void MessengerCore::flush_outcomes() {
    while (!outcomes_held_.empty() && outcomes_.try_push(outcomes_held_.front())) outcomes_held_.pop();
}

Instant MessengerCore::on_turn(Instant now) {
    flush_outcomes();
    return outcomes_held_.empty() ? never : now + hold_outcomes_for;
}

void MessengerCore::publish() {
    flush_outcomes();
    inbox_.flush();
    outcomes_.flush();
}

// ---- the end --------------------------------------------------------------------------------------

void MessengerCore::close(Instant) {
    closed_ = true;
    endpoint_->close();
    for (const InFlight& each : in_flight_)
        if (each.ticket != Ticket{}) endpoint_->cancel(each.exchange);
}

void MessengerCore::end() {
    while (!outcomes_held_.empty()) {
        flush_outcomes();
        sched_yield();
    }
    inbox_.close();
    outcomes_.close();
}

Counters MessengerCore::counters() const {
    Counters out = endpoint_->counters();
    out.data_received += messages_refused_;
    out.app_behind += messages_refused_;
    out.foreign += foreign_refused_;
    if (options_.recv_from_any) out.foreign_dropped += foreign_refused_;
    return out;
}

}  // namespace ringpost::gtudp
