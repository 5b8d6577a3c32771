#pragma once

#include <cstdint>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/time.hpp>
#include "codec/base/lru_table.hpp"
#include "codec/base/siphash.hpp"
#include "codec/base/zeroed_array.hpp"
#include "codec/measure/histogram.hpp"
#include "codec/traffic/sequence_window.hpp"

namespace ringpost::traffic {

/// What one receiver of a multicast group, an address and port, has answered.
struct ReceiverRow {
    Address source{};
    std::uint64_t answered = 0;   ///< first replies
    std::uint64_t duplicate = 0;  ///< or too old to decide
    Histogram response;           ///< of the first replies, from the due times
};

/// The replies of a Prober by receiver, for the first limits::receivers_max of them. All operations are O(1). Nothing
/// is allocated after construction. Not thread-safe.
class ReceiverTable {
  public:
    /// `key` must be random and secret.
    explicit ReceiverTable(const SipKey& key);

    /// A reply to the probe with this number, which was due `response` ago.
    void record(const Address& source, std::uint64_t sequence, Duration response);

    /// In the order of their first replies.
    std::span<const ReceiverRow> rows() const { return {rows_.data(), used_}; }
    /// Replies of receivers without a row.
    std::uint64_t others() const { return others_; }

  private:
    LruTable<Address, std::uint32_t> indices_;  ///< into rows_, plus one
    std::vector<ReceiverRow> rows_;
    ZeroedArray<std::uint64_t> words_;  ///< of windows_
    std::vector<SequenceWindow> windows_;
    std::uint32_t used_ = 0;
    std::uint64_t others_ = 0;
};

}  // namespace ringpost::traffic
