#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/time.hpp>

namespace ringpost::bottleneck {

struct LinkSettings {
    double rate = 0;              ///< bytes of IP packets per second; more than 0
    Duration delay = 0;           ///< one way, after the queue
    std::size_t queue_bytes = 0;  ///< what waits for the rate; a packet that does not fit is dropped
    bool codel = false;           ///< the queue is kept short by CoDel (RFC 8289)
    bool ecn = false;             ///< CoDel marks packets of senders that are capable of ECN instead of dropping them
    double loss = 0;              ///< probability that a packet is lost before the queue
    double late = 0;              ///< probability that a packet is delayed by late_by more, and overtaken
    Duration late_by = 0;
};

struct LinkCounters {
    std::uint64_t packets_in = 0, bytes_in = 0;
    std::uint64_t lost = 0;           ///< by `loss`
    std::uint64_t overflowed = 0;     ///< the queue was full
    std::uint64_t dropped_codel = 0;  ///< by CoDel
    std::uint64_t marked = 0;
    std::uint64_t packets_out = 0, bytes_out = 0;
    std::uint64_t queued_us = 0;  ///< the time that all packets together have waited for the rate
    std::uint64_t queue_bytes_max = 0;

    static constexpr auto table() {
        using C = LinkCounters;
        return std::to_array<Counter<C>>({
            {"packets_in", &C::packets_in},
            {"bytes_in", &C::bytes_in},
            {"lost", &C::lost},
            {"overflowed", &C::overflowed},
            {"dropped_codel", &C::dropped_codel},
            {"marked", &C::marked},
            {"packets_out", &C::packets_out},
            {"bytes_out", &C::bytes_out},
            {"queued_us", &C::queued_us},
            {"queue_bytes_max", &C::queue_bytes_max},
        });
    }
};
static_assert(lists_every_counter<LinkCounters>());

/// CoDel's decisions about one queue. Source: RFC 8289, section 5.
class CoDel {
  public:
    static constexpr Duration target = 5 * millisecond, interval = 100 * millisecond;

    /// A packet leaves the queue at `now` after `sojourn`, and leaves `queued_bytes` behind. True: drop it, or mark it.
    bool drops(Instant now, Duration sojourn, std::size_t queued_bytes);

  private:
    bool is_late(Instant now, Duration sojourn, std::size_t queued_bytes);

    Instant late_at_ = 0;  ///< 0: the sojourn time is below the target; else when it will have been above for long
    Instant next_at_ = 0;
    std::uint32_t count_ = 0, count_before_ = 0;
    bool dropping_ = false;
};

/// One direction of a path: a queue in front of a rate, and a delay after it. Packets leave at times that depend only
/// on when they came, however late pop() is called.
class Link {
  public:
    using Packet = std::vector<std::byte>;  ///< IPv4 or IPv6

    Link(const LinkSettings& settings, std::uint64_t seed) : settings_(settings), random_(seed) {}

    void push(Instant now, Packet packet);
    /// The next packet that has arrived at the other end.
    std::optional<Packet> pop(Instant now);
    /// When pop() should be called; `never`: the link is empty.
    Instant next() const;
    bool empty() const { return queue_.empty() && travelling_.empty(); }
    const LinkCounters& counters() const { return counts_; }

  private:
    struct Timed {
        Instant at;  ///< came, or arrives
        Packet bytes;
    };

    bool chance(double p) { return p > 0 && std::uniform_real_distribution<>()(random_) < p; }
    void transmit(Instant now);

    LinkSettings settings_;
    std::mt19937_64 random_;
    CoDel codel_;
    std::deque<Timed> queue_, travelling_;
    std::size_t queued_bytes_ = 0;
    double free_at_ = 0;  ///< ns; when the packet that left the queue last has been transmitted
    LinkCounters counts_;
};

/// Sets Congestion Experienced if the packet's sender is capable of ECN (RFC 3168). False if it is not.
bool mark_congestion(Link::Packet& packet);

}  // namespace ringpost::bottleneck
