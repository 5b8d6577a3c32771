#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/base/zeroed_array.hpp"
#include "codec/native/channel/arena.hpp"
#include "codec/native/flow.hpp"
#include "codec/native/frame.hpp"

namespace ringpost::native {

/// What became of received messages.
enum class Intake : std::uint8_t {
    direct,     ///< they are next in order: the caller delivers them from the packet
    stored,     ///< they are kept
    duplicate,  ///< all of them had been received before
    no_room,    ///< there is no place; the packet must not be acknowledged
    violation,  ///< beyond the limit that the peer was given, or in contradiction to what it sent before
};

/// The receiving side of a reliable, ordered channel. Messages that are next in order are delivered where they lie.
/// Those that come early are kept, one slot per message number, until the ones before them are there.
class OrderedIncoming {
  public:
    /// `window`: bytes, by message_cost(), that the peer may send ahead of what was taken.
    /// `message_bytes_max`: of one message; message_cost() of it must not be more than `window`.
    OrderedIncoming(std::uint64_t window, std::uint32_t message_bytes_max);

    ReceiveCredit& credit() { return credit_; }

    /// A MESSAGES frame. `direct_allowed`: the caller can deliver from the packet now. With Intake::direct, `run` is
    /// what is to be delivered, without messages that had been received before, `number` that of its first, and `cost`
    /// what credit() gets back when the application has taken them.
    Intake on_messages(std::uint32_t first, Run& run, bool direct_allowed, ReceiveCredit& connection,
                       std::uint64_t& number, std::uint64_t& cost);
    Intake on_fragment(const FragmentFrame& frame, ReceiveCredit& connection);

    /// Whether take() has something.
    bool ready() const { return kept_ > 0 && slot(next_).state == SlotState::complete; }
    struct Kept {
        std::uint64_t number = 0;
        Run run;
        Arena::Block block = Arena::none;  ///< for release()
        std::uint64_t cost = 0;
    };
    /// The kept messages that are next, as many as lie one after another. They stay valid until release(block, count).
    Kept take();
    /// Keeps a copy of a run that on_messages() let pass. `none`: there is no place, which cannot be if the peer sends
    /// in order within its window.
    Arena::Block keep(Run& run);
    void release(Arena::Block block, std::uint32_t count) { arena_.release(block, count); }

    /// The number of the message that is next: all before it were passed on.
    std::uint64_t next() const { return next_; }
    /// Messages that are kept, or begun.
    std::uint32_t kept() const { return kept_; }

  private:
    enum class SlotState : std::uint8_t { absent, in_parts, complete };
    struct Slot {
        Arena::Block block;
        std::uint32_t at;  ///< of the message itself, in the block's bytes
        std::uint32_t bytes;
        SlotState state;
    };

    Slot& slot(std::uint64_t number) { return slots_[number & mask_]; }
    const Slot& slot(std::uint64_t number) const { return slots_[number & mask_]; }
    std::uint64_t full(std::uint32_t number) const {
        const auto distance = static_cast<std::int32_t>(number - static_cast<std::uint32_t>(next_));
        return next_ + static_cast<std::uint64_t>(std::int64_t{distance});
    }
    bool too_large(const Run& run) const;
    bool is_absent(std::uint64_t number) const { return slot(number).state == SlotState::absent; }
    /// How many messages from `number` on, up to `most`, are absent; and how many are not.
    std::uint32_t count_absent(std::uint64_t number, std::uint32_t most) const;
    std::uint32_t count_known(std::uint64_t number, std::uint32_t most) const;
    Intake store(std::uint64_t number, Run run, ReceiveCredit& connection);
    Intake complete_parts(std::uint64_t number, const Run& run);
    Intake store_absent(std::uint64_t number, const Run& run, ReceiveCredit& connection);
    Intake begin_parts(std::uint64_t number, const FragmentFrame& frame, ReceiveCredit& connection);

    ReceiveCredit credit_;
    std::uint32_t message_bytes_max_;
    ZeroedArray<Slot> slots_;
    std::uint64_t mask_;
    Arena arena_;
    std::uint64_t next_ = 0;
    std::uint32_t kept_ = 0;
};

}  // namespace ringpost::native
