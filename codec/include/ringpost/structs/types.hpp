#pragma once

// What a structs::Messenger (<ringpost/structs.hpp>) returns: events, refusals, counters.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <ringpost/address.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/structs/library.hpp>

namespace ringpost::structs {

/// Something found in a datagram, in order of position.
struct Event {
    enum class Kind : std::uint8_t {
        message,     ///< `definition` and `payload`
        unknown_id,  ///< a valid packet whose id is not in the library
        wrong_size,  ///< a valid packet whose size does not match `definition`
        /// One or more magics that start no valid packet. `error` describes the first, `failures` is their number. All
        /// up to the next packet or the end form one event, because a malicious datagram can hold 65,506 of them.
        damage,
    };
    Kind kind = Kind::message;
    Address source;
    std::size_t offset = 0;  ///< position in the datagram of the packet or the first magic
    MessageId id = 0;        ///< not for damage
    const Definition* definition = nullptr;
    std::span<const std::byte> payload;  ///< not for damage; valid until the next call of this endpoint
    FrameError error = FrameError::checksum;
    std::uint32_t failures = 0;
};

/// Why a message was refused.
enum class Refusal : std::uint8_t {
    unknown_id,
    wrong_size,
    too_large,  ///< the payload exceeds limits::datagram_bytes_max minus the header
    queue_full,
    bad_peer,  ///< no port, or an address of another family than the socket's
};

struct Counters {
    std::uint64_t sent = 0;  ///< passed to the driver
    std::uint64_t refused_unknown_id = 0;
    std::uint64_t refused_wrong_size = 0;
    std::uint64_t refused_too_large = 0;
    std::uint64_t refused_queue_full = 0;
    std::uint64_t refused_bad_peer = 0;

    std::uint64_t received = 0;        ///< datagrams
    std::uint64_t app_behind = 0;      ///< part of received: dropped, the application is behind with its events
    std::uint64_t without_packet = 0;  ///< part of received: no packet found; damaged or foreign

    std::uint64_t messages = 0;
    std::uint64_t unknown_id = 0;
    std::uint64_t wrong_size = 0;
    std::uint64_t past_end = 0;  ///< this and the next two: magics that do not start a packet
    std::uint64_t size_small = 0;
    std::uint64_t checksum = 0;
    std::uint64_t skipped_bytes = 0;  ///< outside of packets

    static constexpr auto table() {
        return std::to_array<Counter<Counters>>({
            {"sent", &Counters::sent},
            {"refused_unknown_id", &Counters::refused_unknown_id},
            {"refused_wrong_size", &Counters::refused_wrong_size},
            {"refused_too_large", &Counters::refused_too_large},
            {"refused_queue_full", &Counters::refused_queue_full},
            {"refused_bad_peer", &Counters::refused_bad_peer},
            {"received", &Counters::received},
            {"app_behind", &Counters::app_behind},
            {"without_packet", &Counters::without_packet},
            {"messages", &Counters::messages},
            {"unknown_id", &Counters::unknown_id},
            {"wrong_size", &Counters::wrong_size},
            {"past_end", &Counters::past_end},
            {"size_small", &Counters::size_small},
            {"checksum", &Counters::checksum},
            {"skipped_bytes", &Counters::skipped_bytes},
        });
    }
};
static_assert(lists_every_counter<Counters>());

}  // namespace ringpost::structs
