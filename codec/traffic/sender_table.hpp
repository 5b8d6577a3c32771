#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/time.hpp>
#include "codec/base/lru_table.hpp"
#include "codec/base/siphash.hpp"

namespace ringpost::traffic {

struct SinkCounters;

/// The part of SinkCounters that came from one sender.
struct SenderCounters {
    std::uint64_t received = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0;
    std::uint64_t before_start = 0;
    std::uint64_t duplicate = 0;
    std::uint64_t reordered = 0;
    std::uint64_t corrupt = 0;

    static constexpr auto table() {
        return std::to_array<Counter<SenderCounters>>({
            {"received", &SenderCounters::received},
            {"bytes", &SenderCounters::bytes},
            {"lost", &SenderCounters::lost},
            {"before_start", &SenderCounters::before_start},
            {"duplicate", &SenderCounters::duplicate},
            {"reordered", &SenderCounters::reordered},
            {"corrupt", &SenderCounters::corrupt},
        });
    }

    /// Modulo 2^64: the `lost` of a row that was evicted and returned may be below zero when a late datagram arrives.
    void add(const SenderCounters& other);
};
static_assert(lists_every_counter<SenderCounters>());

/// A sender is an address and port.
struct SenderRow {
    SenderCounters counts;
    Instant first_at = never, last_at = never;

    void add(const SenderRow& other);
};

/// The counts of a sink by sender, for the limits::load_senders_max most recent ones and for all others together. The
/// sink counts totals only. What it has counted since the sender changed belongs to the sender before, so the datagrams
/// of a train cost one comparison of addresses.
class SenderTable {
  public:
    using Rows = std::vector<std::pair<Address, SenderRow>>;

    /// `key` must be random and secret.
    explicit SenderTable(const SipKey& key);

    /// To be called before a datagram from `source` is counted, with the totals without it.
    void begin(const Address& source, const SinkCounters& totals, Instant now) {
        if (row_ == nullptr || source != current_) turn_to(source, totals, now);
    }

    /// The rows, most recent sender first, and the sum of the evicted ones. `totals` are those of now.
    Rows rows(const SinkCounters& totals);
    const SenderCounters& others() const { return others_; }
    std::uint64_t evictions() const { return table_.evictions(); }
    /// Null if the sender has no row.
    const SenderRow* find(const Address& source, const SinkCounters& totals);

  private:
    void turn_to(const Address& source, const SinkCounters& totals, Instant now);
    void settle(const SinkCounters& totals);

    LruTable<Address, SenderRow> table_;
    Address current_{};
    SenderRow* row_ = nullptr;  ///< of current_
    SenderCounters before_;     ///< totals when the sender became the current one
    SenderCounters others_;
};

}  // namespace ringpost::traffic
