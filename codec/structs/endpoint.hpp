#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/record_queue.hpp"
#include "codec/structs/library.hpp"
#include "codec/structs/scanner.hpp"

namespace ringpost::structs {

/// What was found in a datagram, in the order in which it stood there.
struct Event {
    enum class Kind : std::uint8_t {
        message,     ///< `definition` and `payload`
        unknown_id,  ///< a packet that is whole, of an id that the library does not have
        wrong_size,  ///< a packet that is whole, but not as long as `definition` says
        /// One or more magics that begin no packet: `error` says why of the first, `failures` counts them. They are one
        /// event up to the next packet or the end: a stranger's datagram can hold 65,506 of them.
        damage,
    };
    Kind kind = Kind::message;
    Address source;
    std::size_t offset = 0;  ///< of the packet or of the first magic, in the datagram
    MessageId id = 0;        ///< not of damage
    const Definition* definition = nullptr;
    std::span<const std::byte> payload;  ///< not of damage; valid until the next call of the endpoint
    FrameError error = FrameError::checksum;
    std::uint32_t failures = 0;
};

/// Why a message was not taken.
enum class Refusal : std::uint8_t {
    unknown_id,
    wrong_size,
    too_large,  ///< for a UDP datagram: a payload of more than limits::datagram_bytes_max less the header
    queue_full,
};

struct Counters {
    std::uint64_t sent = 0;  ///< handed to the driver
    std::uint64_t refused_unknown_id = 0;
    std::uint64_t refused_wrong_size = 0;
    std::uint64_t refused_too_large = 0;
    std::uint64_t refused_queue_full = 0;

    std::uint64_t received = 0;        ///< datagrams
    std::uint64_t app_behind = 0;      ///< of them: dropped, the application did not keep up with its events
    std::uint64_t without_packet = 0;  ///< of them: held no packet, damaged or foreign

    std::uint64_t messages = 0;
    std::uint64_t unknown_id = 0;
    std::uint64_t wrong_size = 0;
    std::uint64_t past_end = 0;  ///< the next three: magics that begin no packet
    std::uint64_t size_small = 0;
    std::uint64_t checksum = 0;
    std::uint64_t skipped_bytes = 0;  ///< that belong to no packet
};

/// Sends struct messages, one to a datagram, and finds those of others, however many share one and whatever stands
/// between them. Nothing confirms a message: see codec/gtudp for that. Nothing is due at any time.
class Endpoint {
  public:
    using Event = structs::Event;

    /// `library` must stay; it may grow.
    /// Messages leave by `socket`.
    explicit Endpoint(const Library& library, SocketIndex socket = 0);

    /// Takes a copy of the payload; it leaves with the next poll_transmit.
    std::expected<void, Refusal> send(const Address& to, const Packet& packet);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const { return std::nullopt; }

    const Counters& counters() const { return counts_; }
    /// Messages that wait to be sent.
    std::size_t waiting() const { return outgoing_.size(); }

  private:
    struct Outgoing {
        Address to;
        MessageId id;
    };

    std::expected<void, Refusal> refuse(Refusal refusal);
    void count_failure(FrameError error);
    Event event_of(const Packet& packet);
    void finish_datagram();

    const Library& library_;
    SocketIndex socket_;
    RecordQueue<Outgoing> outgoing_;
    RecordQueue<Address> heard_;
    std::optional<Scanner> scanner_;      ///< of the front of heard_
    std::optional<Scanner::Found> held_;  ///< a packet found behind damage that was to be told first
    bool packet_found_ = false;           ///< in the front of heard_
    Counters counts_;
};

}  // namespace ringpost::structs
