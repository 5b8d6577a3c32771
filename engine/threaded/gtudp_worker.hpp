#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/datagram.hpp>
#include "codec/base/ring_queue.hpp"
#include "codec/gtudp/endpoint.hpp"
#include "engine/threaded/gtudp_shared.hpp"

namespace ringpost::gtudp {

/// What a ThreadedMessenger's own thread does: a gtudp::Endpoint between the loop and the queues of Shared. To the loop
/// it is an endpoint (codec/include/ringpost/datagram.hpp) that has no events, for it keeps them; on_turn() and
/// on_sleep() are those of an Application (engine/loop/loop.hpp).
class Worker {
  public:
    /// `shared` outlives it. Everything it will need is allocated here.
    Worker(Shared& shared, const Options& options);

    struct Event {};
    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        return endpoint_.poll_transmit(now, out);
    }
    static std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return endpoint_.poll_timeout(); }

    Instant on_turn(Instant at);
    bool on_sleep() { return shared_.fall_asleep(); }
    /// Every send has its outcome, and the loop is to stop.
    bool stopped() const { return stopped_; }

    /// The endpoint's, and what it was not given because nobody had room for it.
    Counters counters() const;
    /// After the loop's last turn.
    void finish(const EngineCounters& engine);

  private:
    using SlotIndex = Shared::SlotIndex;

    bool reserve(std::size_t bytes);
    bool may_handle(const Datagram& in);
    void take_events();
    void keep(const gtudp::Event& event);
    bool take_commands(Instant at);
    void start(Instant at, Ticket ticket);
    void end(SlotIndex slot, SendResult result, std::uint32_t sends);
    void flush_outcomes();
    void stop();

    Shared& shared_;
    const Options options_;
    Endpoint endpoint_;
    struct InFlight {
        Ticket ticket;  ///< 0: none
        ExchangeId exchange;
    };
    std::vector<InFlight> in_flight_;           // by slot
    std::vector<SlotIndex> slot_of_exchange_;   // by ExchangeId::index
    std::optional<BlockPool::Block> reserved_;  // for the next message
    RingQueue<SlotIndex> outcomes_held_;        // in order, while the queue to the users seems full
    std::uint32_t arrived_ = 0, settled_ = 0;   // since the bells were last rung
    std::uint64_t behind_ = 0, foreign_behind_ = 0;
    bool stopped_ = false;
};

}  // namespace ringpost::gtudp
