#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include <ringpost/address.hpp>
#include <ringpost/threaded_messenger.hpp>
#include "engine/threaded/bounded_queue.hpp"
#include "engine/threaded/free_list.hpp"
#include "engine/threaded/futex.hpp"
#include "engine/threaded/wake_up.hpp"

namespace ringpost::gtudp {

/// What a ThreadedMessenger's users and its thread, the Worker, have in common. Below, "users" are all other threads.
///
/// A send lives in a Slot, which has one owner at a time: the user who took it from free_slots; the Worker, from
/// commands on; then whoever takes its outcome, from outcomes or as the one who waits for it, and gives it back.
class Shared {
  public:
    explicit Shared(const OpenOptions& options);
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    using SlotIndex = std::uint32_t;

    struct alignas(cache_line_bytes) Slot {
        enum Progress : std::uint32_t { pending, waited_for, ended };

        std::atomic<std::uint32_t> progress{pending};  // of what send_and_wait() waits for, with a futex
        bool waited = false;                           // by send_and_wait(): the outcome is not for `outcomes`
        std::uint32_t generation = 0;
        Address peer;
        Instant deadline = never;
        BlockPool::Block block = 0;
        std::uint32_t bytes = 0;
        std::uint32_t sends = 0;
        SendResult result;
    };

    struct Command {
        enum class Kind : std::uint8_t { send, cancel };
        Kind kind = Kind::send;
        Ticket ticket;
    };

    struct Arrived {
        Address peer;
        BlockPool::Block block = 0;
        std::uint32_t bytes = 0;
        bool foreign = false;
    };

    static SlotIndex slot_of(Ticket ticket) { return static_cast<SlotIndex>(ticket.number); }

    // ---- users --------------------------------------------------------------------------------

    std::expected<Ticket, SendRefusal> submit(const Address& peer, std::span<const std::byte> bytes, Instant deadline,
                                              bool waited);
    bool cancel(Ticket ticket);
    /// Of a send submitted as `waited`.
    SendResult wait_for(Ticket ticket);
    std::optional<Ended> next_outcome(Instant deadline);
    std::optional<Message> receive(Instant deadline);
    struct Tally {
        Counters counts;
        EngineCounters counters;
    };
    Tally tally();
    /// Asks the Worker to finish; it has when its thread has ended.
    void stop();

    // ---- the Worker ---------------------------------------------------------------------------

    /// Before anybody else uses this.
    std::optional<Error> wake_by(const Waker& waker) { return wake_up_.by(waker); }
    bool stopping() const { return stopping_.load(std::memory_order_acquire); }
    /// The loop is about to sleep; false when it must not, since something waits for it.
    bool fall_asleep() {
        return wake_up_.fall_asleep([this] { return commands.empty() && !stopping() && !tally_wanted(); });
    }
    /// The loop has woken up, and looks at everything users may have left before it falls asleep again.
    void wake_up() { wake_up_.wake_up(); }
    /// Gives a send its outcome; false when it is for `outcomes`, where the Worker then puts it.
    bool settle(SlotIndex index, SendResult result, std::uint32_t sends);
    bool tally_wanted() const { return tally_state_.load(std::memory_order_acquire) == tally_asked; }
    void tell_tally(const Tally& tally);
    /// The last that the Worker does. From here on users end what they submit themselves.
    void finish(const Tally& tally);

    BoundedQueue<Command> commands;    // users to Worker
    BoundedQueue<SlotIndex> outcomes;  // Worker to users, a place for every slot
    BoundedQueue<Arrived> inbox;       // Worker to users, a place for every block of `incoming`
    Bell outcomes_bell, inbox_bell;
    std::unique_ptr<Slot[]> slots;
    FreeList free_slots;
    BlockPool outgoing, incoming;

  private:
    enum TallyState : std::uint32_t { tally_idle, tally_asked, tally_told };

    void cancel_leftovers();

    const std::size_t data_bytes_max_;
    WakeUp wake_up_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> over_{false};  // finish() has put everything where users look
    std::mutex tally_mutex_;         // of users among themselves: one asks at a time
    std::atomic<std::uint32_t> tally_state_{tally_idle};
    Tally told_, final_;
};

}  // namespace ringpost::gtudp
