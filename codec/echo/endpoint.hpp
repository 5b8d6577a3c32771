#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/record_queue.hpp"

namespace ringpost::echo {

struct EchoCounters {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    /// Datagrams from an echo, chargen or zero port or from the address and port that they came to, to which replying
    /// would cause a loop, and those too long for a Transmit (IPv6 carries 20 bytes more than
    /// limits::datagram_bytes_max).
    std::uint64_t refused = 0;
    std::uint64_t hops_exhausted = 0;  ///< not answered: the hop limit had reached 1
    std::uint64_t queue_full = 0;      ///< not answered: replies leave more slowly than requests arrive

    static constexpr auto table() {
        return std::to_array<Counter<EchoCounters>>({
            {"received", &EchoCounters::received},
            {"sent", &EchoCounters::sent},
            {"refused", &EchoCounters::refused},
            {"hops_exhausted", &EchoCounters::hops_exhausted},
            {"queue_full", &EchoCounters::queue_full},
        });
    }
};
static_assert(lists_every_counter<EchoCounters>());

/// Returns every datagram to its source (RFC 862), with its hop limit minus one where that is known, so that loops end.
/// Consecutive replies of one size to one peer form a train.
class Endpoint {
  public:
    struct Event {};  ///< none; see counters()

    Endpoint();

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return std::nullopt; }

    const EchoCounters& counters() const { return counts_; }

  private:
    struct Reply {
        Address destination;
        LocalPath path;
        std::uint8_t hop_limit = 0;
        bool operator==(const Reply&) const = default;
    };

    RecordQueue<Reply> replies_;
    EchoCounters counts_;
};

}  // namespace ringpost::echo
