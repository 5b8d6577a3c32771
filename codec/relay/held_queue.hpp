#pragma once

#include <algorithm>
#include <cstdint>

#include <ringpost/time.hpp>
#include "codec/base/chunk_pool.hpp"
#include "codec/base/ring_queue.hpp"
#include "codec/base/zeroed_array.hpp"
#include "codec/relay/client_table.hpp"

namespace ringpost::relay {

/// From the client to the target, or back.
enum class Direction : std::uint8_t { to_target, to_client };

/// A delayed datagram. Its bytes are in a ChunkPool.
struct Held {
    Instant due = 0;
    std::uint64_t serial = 0;  ///< set by the queue
    ClientId client{};
    std::uint32_t bytes = 0;
    ChunkPool::Chunk chunk = ChunkPool::nothing;
    Direction direction = Direction::to_target;
    std::uint8_t hop_limit = 0;  ///< to be sent with; 0: the socket's own
};

/// Delayed datagrams ordered by due time, then by arrival. Nothing is allocated after construction. Most datagrams
/// arrive in the order in which they are due and are appended to a FIFO at constant cost; only one that is due before
/// the last of the FIFO goes into a binary heap. The next datagram is the earlier of the two fronts.
class HeldQueue {
  public:
    /// `capacity` must be a power of two.
    explicit HeldQueue(std::uint32_t capacity) : in_order_(capacity), capacity_(capacity) { heap_.reserve(capacity); }

    bool empty() const { return in_order_.empty() && heap_.empty(); }
    std::size_t size() const { return in_order_.size() + heap_.size(); }

    /// Returns false if the queue is full.
    bool push(Held held) {
        if (size() == capacity_) return false;
        held.serial = serial_++;
        if (in_order_.empty() || held.due >= last_due_) {
            last_due_ = held.due;
            return in_order_.push(held);
        }
        heap_.push_back(held);
        std::push_heap(heap_.begin(), heap_.end(), later);
        return true;
    }
    /// The datagram that is due first. The queue must not be empty, also for pop().
    const Held& front() const { return heap_first() ? heap_.front() : in_order_.front(); }
    void pop() {
        if (!heap_first()) {
            in_order_.pop();
            return;
        }
        std::pop_heap(heap_.begin(), heap_.end(), later);
        heap_.pop_back();
    }

  private:
    static bool later(const Held& a, const Held& b) { return a.due != b.due ? a.due > b.due : a.serial > b.serial; }
    bool heap_first() const { return !heap_.empty() && (in_order_.empty() || later(in_order_.front(), heap_.front())); }

    RingQueue<Held> in_order_;
    ReservedVector<Held> heap_;
    std::size_t capacity_;
    Instant last_due_ = 0;  ///< of the last in in_order_
    std::uint64_t serial_ = 0;
};

}  // namespace ringpost::relay
