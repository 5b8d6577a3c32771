#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/traffic/payload.hpp"

namespace ringpost::traffic {

/// Writes trains of the datagrams of a Payload: of equal sizes, of which only the last may be smaller. The buffers are
/// few, and nobody else writes to them; of a single payload only the fields are written again.
class PayloadTrain {
  public:
    struct Written {
        std::size_t datagrams = 0, bytes = 0, segment_bytes = 0;
    };
    /// `of` must outlive the train. `fixed` are the values that do not change from datagram to datagram.
    PayloadTrain(const Payload& of, std::size_t segments_max, const PayloadValues& fixed);

    /// How many of the next `at_most` datagrams, at least one, form a train. The next one has this number, and this one
    /// within its flow.
    std::size_t count(std::uint64_t sequence, std::uint64_t in_flow, std::size_t at_most) const;

    /// Writes `count` datagrams. `dues` are their due times, or one for all.
    Written write(std::span<std::byte> out, std::uint64_t sequence, std::uint64_t in_flow, std::size_t count,
                  std::span<const Instant> dues);

  private:
    const Payload* single(std::uint64_t in_flow) const;
    PayloadValues values(std::uint64_t sequence, std::uint64_t in_flow) const;
    Written write_single(const Payload& payload, std::span<std::byte> out, std::uint64_t sequence,
                         std::uint64_t in_flow, std::size_t count, std::span<const Instant> dues);
    Written copy_in_turn(std::span<std::byte> out, std::uint64_t sequence, std::size_t count) const;
    void prepare(const Payload& payload, std::span<std::byte> out);

    const Payload* payload_;
    std::size_t segments_max_;
    PayloadValues fixed_;
    /// Of a single payload: itself, or the one for each number of digits of its {seq}. Empty: several, or it varies
    /// otherwise.
    std::vector<Payload> by_digits_;
    const Payload* prepared_ = nullptr;  ///< what the buffers below hold
    std::vector<const std::byte*> prepared_buffers_;
};

}  // namespace ringpost::traffic
