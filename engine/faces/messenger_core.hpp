#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <ringpost/address.hpp>
#include <ringpost/gtudp.hpp>
#include <span>
#include <vector>

#include "codec/base/ring_queue.hpp"
#include "codec/gtudp/endpoint.hpp"
#include "engine/faces/failed_peers.hpp"
#include "engine/os/clock.hpp"
#include "engine/threaded/event_queue.hpp"
#include "engine/threaded/free_list.hpp"
#include "engine/threaded/ready.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::gtudp {

/// The ThreadedProtocol of a ThreadedMessenger: a gtudp::Endpoint, and the sends and messages passed between its thread
/// and the user threads. See the .cpp for the mechanism.
///
/// Each send occupies a Slot, which has one owner at a time: the thread that takes it; from submit() on, the engine's
/// thread; finally the thread that takes the outcome, from the queue or in wait_for(), and frees the slot.
class MessengerCore {
  public:
    using Endpoint = gtudp::Endpoint;
    struct Command {
        enum class Kind : std::uint8_t { send, cancel };
        Kind kind = Kind::send;
        Ticket ticket;
    };
    enum class OutcomeTo : std::uint8_t { queue, waiting_caller };

    MessengerCore(const OpenOptions& options, const Options& protocol, UdpSocket bound);

    /// Capacity of the command queue: a send for every slot, and as many cancels.
    static std::uint32_t commands_max(const OpenOptions& options);

    // ---- any thread -----------------------------------------------------------------------------

    /// Takes a slot and copies `bytes`; submit a command of Kind::send with the ticket.
    std::expected<Ticket, SendRefusal> take_slot(const Address& peer, std::span<const std::byte> bytes,
                                                 Instant deadline, OutcomeTo outcome_to);
    /// Frees the slot of a command that was not submitted.
    void discard(Ticket ticket);
    /// Waits for the outcome of a send with OutcomeTo::waiting_caller.
    SendResult wait_for(Ticket ticket);
    std::optional<Ended> next_outcome(Instant deadline);
    std::optional<Message> receive(Instant deadline);
    void abandon(const Command& command);
    /// Readable while receive() or next_outcome() may return something.
    int fd() { return ready_.fd(); }

    // ---- the engine's thread --------------------------------------------------------------------

    template <class Backend>
    std::optional<Error> open(Backend& backend) {
        options_.socket = backend.add(std::move(socket_));
        options_.start = now();
        endpoint_.emplace(options_);
        failures_ = &backend.send_failures();
        return std::nullopt;
    }
    Endpoint& endpoint() { return *endpoint_; }
    bool admits(const Datagram& in);
    void on_event(Instant now, const Event& event);
    void run(Instant now, const Command& command);
    Instant on_turn(Instant now);
    void publish();
    bool may_sleep() const { return true; }
    void close(Instant now);
    bool finished() const { return closed_; }
    void end();

    const Options& options() const { return options_; }
    /// Includes the datagrams that admits() refused.
    Counters counters() const;

  private:
    using SlotIndex = std::uint32_t;

    struct alignas(cache_line_bytes) Slot {
        enum Progress : std::uint32_t { pending, waited_for, ended };

        std::atomic<std::uint32_t> progress{pending};  // a futex, for a waiting_caller
        OutcomeTo outcome_to = OutcomeTo::queue;
        std::uint32_t generation = 0;
        Address peer;
        Instant deadline = never;
        BlockPool::Block block = 0;
        std::uint32_t bytes = 0;
        std::uint32_t sends = 0;
        int error = 0;
        SendResult result;
    };
    struct Arrived {
        Address peer;
        BlockPool::Block block = 0;
        std::uint32_t bytes = 0;
        bool foreign = false;
    };
    struct InFlight {
        Ticket ticket;  ///< 0: none
        ExchangeId exchange;
    };

    static SlotIndex slot_of(Ticket ticket) { return static_cast<SlotIndex>(ticket.number); }
    Ticket ticket_of(SlotIndex index) const { return {std::uint64_t{slots_[index].generation} << 32 | index}; }

    void on_empty() {
        ready_.clear_unless([this] { return inbox_.ready() || outcomes_.ready(); });
    }
    bool reserve(std::size_t bytes);
    void end_send(SlotIndex slot, SendResult result, std::uint32_t sends, int error = 0);
    bool settle(SlotIndex index, SendResult result, std::uint32_t sends, int error = 0);
    void flush_outcomes();

    // Shared between threads.
    EventQueue<SlotIndex> outcomes_;  ///< an entry for every slot
    Ready ready_;
    EventQueue<Arrived> inbox_;  ///< an entry for every block of `incoming_`
    std::unique_ptr<Slot[]> slots_;
    FreeList free_slots_;
    BlockPool outgoing_, incoming_;

    UdpSocket socket_;  ///< moved to the backend by open()
    const Address local_;
    Options options_;
    std::atomic<std::uint64_t> bad_peers_{0};

    // Engine's thread only.
    std::optional<Endpoint> endpoint_;
    SendFailures* failures_ = nullptr;  ///< of the backend
    FailedPeers failed_;
    std::vector<InFlight> in_flight_;           ///< by slot
    std::vector<SlotIndex> slot_of_exchange_;   ///< by ExchangeId::index
    std::optional<BlockPool::Block> reserved_;  ///< for the next message
    RingQueue<SlotIndex> outcomes_held_;        ///< in order, while outcomes_ appears full
    std::uint64_t messages_refused_ = 0, foreign_refused_ = 0;
    bool closed_ = false;
};

}  // namespace ringpost::gtudp
