#pragma once

// What an endpoint with streams (TCP connections) has beside the five calls of datagram.hpp:
//
//     std::optional<StreamIndex>   accept(Instant now, const Address& peer);
//     void                         handle(Instant now, const StreamInput& in);
//     std::optional<StreamRequest> poll_stream(Instant now, std::span<std::byte> out);
//
// The endpoint names its streams: with the answer to accept(), and with a request to connect. A name is in use from
// there until the endpoint has asked for `close` or has been told `closed`, whichever is first; from then on the driver
// says nothing more of that stream, and the endpoint may use the name again at once.
//
// A driver tells every input as it happens, with poll_event drained behind each, and drains poll_stream where it drains
// poll_transmit. Writes of one stream leave in the order in which they were asked for. An endpoint has one write under
// way for each stream: it asks for the next when `written` has come. So the driver's memory is bounded by the number of
// streams, and what waits for a slow peer waits in the endpoint, which knows what may be refused.

#include <cstddef>
#include <cstdint>
#include <span>

#include <ringpost/address.hpp>

namespace ringpost {

/// The endpoint's own name for one of its streams: small numbers from 0, for a driver keeps a table by it.
using StreamIndex = std::uint32_t;

/// Why a stream is no more.
enum class StreamEnd : std::uint8_t {
    finished,     ///< the peer has sent its last byte, and closed in order
    reset,        ///< the peer broke it off
    refused,      ///< nobody listens where we wanted to connect
    unreachable,  ///< the network has no way there
    failed,       ///< the system refused for a reason of its own: no descriptor, no memory
};

/// What has happened to a stream. `bytes` is the driver's memory, valid during the call that hands it in.
struct StreamInput {
    enum class Kind : std::uint8_t {
        connected,  ///< what was asked for with `connect` stands
        bytes,      ///< the next bytes of the peer, cut anywhere, at least one
        written,    ///< the system has taken all of the write under way
        closed,     ///< the stream is no more, `end` says why; what was under way is lost
    };
    Kind kind = Kind::bytes;
    StreamIndex stream = 0;
    std::span<const std::byte> bytes;
    StreamEnd end = StreamEnd::finished;
};

/// What an endpoint asks of its driver. `out` of poll_stream holds limits::stream_write_bytes_max.
struct StreamRequest {
    enum class Kind : std::uint8_t {
        connect,  ///< to `peer`; answered by `connected` or `closed`, in the driver's own time: deadlines are ours
        write,    ///< `bytes` at the front of `out`, at least one; answered by `written` or `closed`
        close,    ///< at once, whatever is under way; what was `written` still reaches the peer
        pause,    ///< no more `bytes` (those already received may still come) until `resume`: the peer is held back
        resume,
    };
    Kind kind = Kind::write;
    StreamIndex stream = 0;
    Address peer;
    std::size_t bytes = 0;
};

}  // namespace ringpost
