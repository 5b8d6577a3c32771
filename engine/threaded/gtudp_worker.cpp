// The way in: a DATA is handed to the endpoint only when there is a block and a place in the inbox for it, and what the
// endpoint makes of it goes there at once. So nothing is acknowledged that could not be delivered, and no outcome ever
// waits behind a message that nobody receives. A DATA without a place has never come, as far as the endpoint knows; its
// sender will try again.
//
// The way out: on_turn() takes commands, a bounded number. A send the endpoint refuses ends there and then.
//
// Outcomes have a place each, but one that a user is just taking out, and was suspended over, may bar the way to the
// free ones; then they are held back here until the next turn.

#include "engine/threaded/gtudp_worker.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "codec/base/check.hpp"

namespace ringpost::gtudp {
namespace {

constexpr std::uint32_t commands_per_turn = 1'024;
constexpr Duration hold_outcomes_for = millisecond;

/// The endpoint's own room for messages: one is all it ever holds.
Options with_room_for_one(Options options) {
    options.event_bytes = 2 * BlockPool::large_bytes;
    return options;
}

SendRefusal told(Refusal refusal) {
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

Worker::Worker(Shared& shared, const Options& options)
    : shared_(shared),
      options_(with_room_for_one(options)),
      endpoint_(options_),
      in_flight_(shared.outcomes.capacity()),
      slot_of_exchange_(options_.sends_max),
      outcomes_held_(shared.outcomes.capacity()) {}

// ---- the way in -----------------------------------------------------------------------------------

void Worker::handle(Instant now, const Datagram& in) {
    if (!reserve(in.bytes.size()) && !may_handle(in)) return;
    endpoint_.handle(now, in);
    take_events();
}

void Worker::handle_timeout(Instant now) {
    endpoint_.handle_timeout(now);
    take_events();
}

/// Whether a message of `bytes` has a place to go.
bool Worker::reserve(std::size_t bytes) {
    if (shared_.inbox.full()) return false;
    if (reserved_ && shared_.incoming.memory(*reserved_).size() >= bytes) return true;
    const auto block = shared_.incoming.take(bytes);
    if (!block) return false;
    if (reserved_) shared_.incoming.give(*reserved_);
    reserved_ = block;
    return true;
}

/// Whether the endpoint will make no message of it; what it would is counted here instead.
bool Worker::may_handle(const Datagram& in) {
    const auto frame = options_.codec.decode(in.bytes);
    if (frame && frame->kind != Kind::data) return true;
    ++(frame ? behind_ : foreign_behind_);
    return false;
}

void Worker::take_events() {
    while (const auto event = endpoint_.poll_event()) {
        if (event->kind != gtudp::Event::Kind::outcome) {
            keep(*event);
            continue;
        }
        end(slot_of_exchange_[event->id.index], event->outcome, event->sends);
    }
}

void Worker::keep(const gtudp::Event& event) {
    RINGPOST_CHECK(reserved_.has_value());
    const BlockPool::Block block = *reserved_;
    reserved_.reset();
    if (!event.bytes.empty())
        std::memcpy(shared_.incoming.memory(block).data(), event.bytes.data(), event.bytes.size());
    const bool kept = shared_.inbox.try_push({.peer = event.peer,
                                              .block = block,
                                              .bytes = static_cast<std::uint32_t>(event.bytes.size()),
                                              .foreign = event.kind == gtudp::Event::Kind::foreign});
    RINGPOST_CHECK(kept);  // reserve() has seen to it
    ++arrived_;
}

// ---- the way out ----------------------------------------------------------------------------------

Instant Worker::on_turn(Instant at) {
    shared_.wake_up();
    const bool more = take_commands(at);
    if (shared_.stopping()) stop();
    take_events();
    flush_outcomes();
    if (arrived_ > 0) shared_.inbox_bell.ring(arrived_);
    if (settled_ > 0) shared_.outcomes_bell.ring(settled_);
    arrived_ = settled_ = 0;
    if (more) return at;
    return outcomes_held_.empty() ? never : at + hold_outcomes_for;
}

/// True when there may be more.
bool Worker::take_commands(Instant at) {
    for (std::uint32_t i = 0; i < commands_per_turn; ++i) {
        const auto command = shared_.commands.try_pop();
        if (!command) return false;
        const InFlight& slot = in_flight_[Shared::slot_of(command->ticket)];
        if (command->kind == Shared::Command::Kind::send)
            start(at, command->ticket);
        else if (slot.ticket == command->ticket)
            endpoint_.cancel(slot.exchange);
    }
    return true;
}

void Worker::start(Instant at, Ticket ticket) {
    const SlotIndex index = Shared::slot_of(ticket);
    const Shared::Slot& slot = shared_.slots[index];
    const auto bytes = shared_.outgoing.memory(slot.block).first(slot.bytes);
    const auto exchange = endpoint_.send(at, slot.peer, bytes, slot.deadline);
    shared_.outgoing.give(slot.block);
    if (exchange) {
        in_flight_[index] = {ticket, *exchange};
        slot_of_exchange_[exchange->index] = index;
    } else {
        end(index, std::unexpected(told(exchange.error())), 0);
    }
}

void Worker::end(SlotIndex slot, SendResult result, std::uint32_t sends) {
    in_flight_[slot].ticket = {};
    if (shared_.settle(slot, result, sends)) return;
    const bool held = outcomes_held_.push(slot);
    RINGPOST_CHECK(held);  // each slot ends once before its outcome is taken
}

void Worker::flush_outcomes() {
    for (; !outcomes_held_.empty() && shared_.outcomes.try_push(outcomes_held_.front()); outcomes_held_.pop())
        ++settled_;
}

// ---- the end --------------------------------------------------------------------------------------

void Worker::stop() {
    if (stopped_) return;
    stopped_ = true;
    endpoint_.close();
    for (const InFlight& each : in_flight_)
        if (each.ticket != Ticket{}) endpoint_.cancel(each.exchange);
}

void Worker::finish(const EngineCounters& engine) {
    while (!outcomes_held_.empty()) flush_outcomes();
    shared_.finish({counters(), engine});
}

Counters Worker::counters() const {
    Counters out = endpoint_.counters();
    out.data_received += behind_;
    out.app_behind += behind_;
    out.foreign += foreign_behind_;
    if (options_.recv_from_any) out.foreign_dropped += foreign_behind_;
    return out;
}

}  // namespace ringpost::gtudp
