#pragma once

// What an endpoint receives and sends. The five calls are in endpoint.hpp.

#include <cstddef>
#include <cstdint>
#include <ringpost/address.hpp>
#include <ringpost/time.hpp>
#include <span>

namespace ringpost {

/// A socket of the engine or simulator that drives an endpoint: an index, counted from 0.
using SocketIndex = std::uint32_t;

/// The ECN field of an IP header (RFC 3168, section 5).
enum class Ecn : std::uint8_t { not_capable = 0, capable_1 = 1, capable_0 = 2, congestion = 3 };

/// The near end of a datagram's path: a reply sent by the same socket from the same local address leaves from where its
/// peer expects it.
struct LocalPath {
    SocketIndex socket = 0;
    Address local{};  ///< Family::none: unknown, or the kernel chooses
    bool operator==(const LocalPath&) const = default;
};

/// One received datagram. `bytes` is the driver's memory, which is not constant itself; it is valid during the call
/// that passes it, and for a RetainingEndpoint until its retain().
struct Datagram {
    Address source;
    SocketIndex socket = 0;
    std::span<const std::byte> bytes;
    Instant stamped_at = never;  ///< when the kernel received it; `never` when its socket does not report that
    Address local{};             ///< the local address it was sent to; Family::none when unknown
    Ecn ecn = Ecn::not_capable;  ///< where the socket reports it
    std::uint8_t hop_limit = 0;  ///< of the IP header, where the socket reports it; 0: unknown
    std::uint16_t segment = 0;   ///< its position in the train it arrived in, whose datagrams differ only in `bytes`

    LocalPath path() const { return {socket, local}; }
};

/// What poll_transmit wrote at the front of `out`: one datagram, or a train of equal segments of which only the last
/// may be shorter. `out` holds limits::datagram_bytes_max; a train has at most limits::train_segments_max segments.
struct Transmit {
    Address destination;  ///< Family::none: the peer that the socket is connected to
    SocketIndex socket = 0;
    std::size_t bytes = 0;          ///< of the whole train; 0 is one empty datagram
    std::size_t segment_bytes = 0;  ///< of each segment; equal to `bytes` for a single datagram
    Address local{};                ///< the source address; Family::none: the kernel chooses
    std::uint8_t hop_limit = 0;     ///< of the IP header; 0: the socket's own
};

/// Datagrams in a train of `bytes` cut every `segment_bytes`.
constexpr std::size_t segment_count(std::size_t bytes, std::size_t segment_bytes) {
    return segment_bytes == 0 || bytes <= segment_bytes ? 1 : (bytes + segment_bytes - 1) / segment_bytes;
}

/// Calls use(const Datagram&) for each datagram of `train`, whose `bytes` are those of all of them.
template <class Use>
void for_each_segment(const Datagram& train, std::size_t segment_bytes, Use&& use) {
    const std::size_t count = segment_count(train.bytes.size(), segment_bytes);
    Datagram each = train;
    for (std::size_t i = 0; i + 1 < count; ++i, ++each.segment) {
        each.bytes = train.bytes.subspan(i * segment_bytes, segment_bytes);
        use(each);
    }
    each.bytes = train.bytes.subspan((count - 1) * segment_bytes);
    use(each);
}

}  // namespace ringpost
