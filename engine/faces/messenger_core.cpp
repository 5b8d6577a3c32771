// Receiving: a DATA frame is passed to the endpoint only if a block and an inbox entry are available for its message,
// which is queued immediately. So every acknowledged message can be delivered, and outcomes never wait
// behind messages that the application does not receive. Otherwise the frame is dropped as if lost, and its sender
// retransmits.
//
// Sending: a command refers to a slot. A send that the endpoint refuses ends immediately with that outcome.
//
// The outcome queue has an entry for every slot, but a consumer that is suspended during pop() can block the free
// entries (bounded_queue.hpp); outcomes are then held in outcomes_held_ until a later turn.

#include "engine/faces/messenger_core.hpp"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "codec/base/check.hpp"
#include "engine/faces/option_check.hpp"
#include "engine/os/futex.hpp"

namespace ringpost::gtudp {
namespace {

constexpr Duration retry_outcomes_after = millisecond;

std::uint32_t capacity_of(std::uint32_t wanted) { return std::bit_ceil(std::clamp(wanted, 2u, 1u << 20)); }
std::uint32_t large_blocks(std::uint32_t wanted) { return std::max(capacity_of(wanted) / large_share, 2u); }

/// The endpoint's own event buffer never holds more than one message.
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
        case Refusal::bad_peer: return SendRefusal::bad_peer;
        case Refusal::not_ready: break;
    }
    return SendRefusal::stopped;
}

}  // namespace

MessengerCore::MessengerCore(const OpenOptions& options, const Options& protocol, UdpSocket bound)
    : outcomes_(capacity_of(options.sends_max)),
      inbox_(2 * capacity_of(options.receives_max)),
      slots_(new Slot[capacity_of(options.sends_max)]),
      free_slots_(0, capacity_of(options.sends_max)),
      outgoing_(capacity_of(options.sends_max), large_blocks(options.sends_max)),
      incoming_(capacity_of(options.receives_max), large_blocks(options.receives_max)),
      socket_(std::move(bound)),
      local_(socket_.local()),
      options_(with_room_for_one(protocol)),
      failed_(options.engine.log),
      in_flight_(capacity_of(options.sends_max)),
      slot_of_exchange_(protocol.sends_max),
      outcomes_held_(capacity_of(options.sends_max)) {}

std::uint32_t MessengerCore::commands_max(const OpenOptions& options) { return 2 * capacity_of(options.sends_max); }

// ---- any thread -----------------------------------------------------------------------------------

std::expected<Ticket, SendRefusal> MessengerCore::take_slot(const Address& peer, std::span<const std::byte> bytes,
                                                            Instant deadline, OutcomeTo outcome_to) {
    if (bytes.size() > options_.codec.data_bytes_max()) return std::unexpected(SendRefusal::too_large);
    if (!may_be_peer(peer, local_)) {
        bad_peers_.fetch_add(1, std::memory_order_relaxed);
        return std::unexpected(SendRefusal::bad_peer);
    }
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

void MessengerCore::discard(Ticket ticket) {
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
    if (!index) on_empty();
    if (!index) return std::nullopt;
    const Slot& slot = slots_[*index];
    const Ended ended{ticket_of(*index), slot.peer, slot.result, slot.sends, slot.error};
    free_slots_.give(*index);
    return ended;
}

std::optional<Message> MessengerCore::receive(Instant deadline) {
    const auto arrived = inbox_.pop(deadline);
    if (!arrived) on_empty();
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

// ---- receiving ------------------------------------------------------------------------------------

bool MessengerCore::admits(const Datagram& in) {
    if (reserve(in.bytes.size())) return true;
    const auto frame = options_.codec.decode(in.bytes);
    if (frame && frame->kind != Kind::data) return true;  // needs no room
    ++(frame ? messages_refused_ : foreign_refused_);
    return false;
}

/// Reserves an inbox entry and a block for a message of `bytes`. False if there is none.
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
        const int error = event.outcome == Outcome::confirmed ? 0 : failed_.error_of(event.peer);
        end_send(slot_of_exchange_[event.id.index], event.outcome, event.sends, error);
        return;
    }
    failed_.on_message(event.peer);
    RINGPOST_CHECK(reserved_.has_value());  // by admits()
    const BlockPool::Block block = *std::exchange(reserved_, std::nullopt);
    if (!event.bytes.empty()) std::memcpy(incoming_.memory(block).data(), event.bytes.data(), event.bytes.size());
    const bool pushed = inbox_.try_push({.peer = event.peer,
                                         .block = block,
                                         .bytes = static_cast<std::uint32_t>(event.bytes.size()),
                                         .foreign = event.kind == Event::Kind::foreign});
    RINGPOST_CHECK(pushed);
}

// ---- sending --------------------------------------------------------------------------------------

void MessengerCore::run(Instant now, const Command& command) {
    const SlotIndex index = slot_of(command.ticket);
    if (command.kind == Command::Kind::cancel) {
        // The ticket is what the application made of it.
        const bool known = index < in_flight_.size() && command.ticket != Ticket{};
        if (known && in_flight_[index].ticket == command.ticket) endpoint_->cancel(in_flight_[index].exchange);
        return;
    }
    const Slot& slot = slots_[index];
    const auto bytes = outgoing_.memory(slot.block).first(slot.bytes);
    const auto exchange = endpoint_->send(now, slot.peer, bytes, slot.deadline);
    outgoing_.give(slot.block);
    if (!exchange) return end_send(index, std::unexpected(to_send_refusal(exchange.error())), 0);
    in_flight_[index] = {command.ticket, *exchange};
    slot_of_exchange_[exchange->index] = index;
}

void MessengerCore::end_send(SlotIndex slot, SendResult result, std::uint32_t sends, int error) {
    in_flight_[slot].ticket = {};
    if (settle(slot, result, sends, error)) return;
    const bool held = outcomes_held_.push(slot);
    RINGPOST_CHECK(held);  // at most one outcome per slot
}

/// Stores the outcome and wakes a waiting caller. False if the outcome must go to the queue instead.
bool MessengerCore::settle(SlotIndex index, SendResult result, std::uint32_t sends, int error) {
    Slot& slot = slots_[index];
    slot.result = result;
    slot.sends = sends;
    slot.error = error;
    if (slot.outcome_to == OutcomeTo::queue) return false;
    // The exchange may transfer the slot to another owner, so it is not read afterwards. A stray wake-up of a later
    // waiter is harmless.
    if (slot.progress.exchange(Slot::ended, std::memory_order_acq_rel) == Slot::waited_for)
        futex_wake(slot.progress, all_waiters);
    return true;
}

void MessengerCore::flush_outcomes() {
    while (!outcomes_held_.empty() && outcomes_.try_push(outcomes_held_.front())) outcomes_held_.pop();
}

Instant MessengerCore::on_turn(Instant now) {
    failed_.take(*failures_);
    flush_outcomes();
    return outcomes_held_.empty() ? never : now + retry_outcomes_after;
}

void MessengerCore::publish() {
    flush_outcomes();
    const bool messages = inbox_.flush(), ended = outcomes_.flush();
    if (messages || ended) ready_.set();
}

// ---- stopping -------------------------------------------------------------------------------------

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
    ready_.set();
}

Counters MessengerCore::counters() const {
    Counters out = endpoint_->counters();
    out.refused_bad_peer = bad_peers_.load(std::memory_order_relaxed);
    out.data_received += messages_refused_;
    out.app_behind += messages_refused_;
    out.foreign += foreign_refused_;
    if (options_.recv_from_any) out.foreign_dropped += foreign_refused_;
    return out;
}

}  // namespace ringpost::gtudp
