#pragma once

// Additional calls of an endpoint that uses streams (TCP connections):
//
//     std::optional<StreamIndex>   accept(Instant now, const Address& peer);
//     void                         handle(Instant now, const StreamInput& in);
//     std::optional<StreamRequest> poll_stream(Instant now, std::span<std::byte> out);
//
// The endpoint assigns the stream indices: as the result of accept(), or in a `connect` request. An index stays in use
// until the endpoint requests `close` or receives `closed`, whichever comes first. After that the driver reports
// nothing more for it, and the endpoint may reuse it at once.
//
// A driver passes on each input as it happens, draining poll_event() after each one, and drains poll_stream() where it
// drains poll_transmit(). Writes to a stream are sent in the order of their requests. An endpoint keeps at most one
// write in progress per stream and requests the next one after `written`. The driver's memory is therefore bounded by
// the number of streams; data for a slow peer queues in the endpoint, which can refuse more.

#include <cstddef>
#include <cstdint>
#include <span>

#include <ringpost/address.hpp>

namespace ringpost {

/// Index that the endpoint assigns to a stream. Counted from 0 and small, because drivers index tables by it.
using StreamIndex = std::uint32_t;

/// Why a stream was closed.
enum class StreamEnd : std::uint8_t {
    finished,     ///< the peer has sent its last byte and closed in order
    reset,        ///< the peer reset the connection
    refused,      ///< nothing listens at the address
    unreachable,  ///< no route to the address
    failed,       ///< a local error: no descriptor, no memory
};

/// An event on a stream. `bytes` belongs to the driver and is valid only during the call.
struct StreamInput {
    enum class Kind : std::uint8_t {
        connected,  ///< a requested `connect` has succeeded
        bytes,      ///< the next bytes from the peer, at least one, split at arbitrary points
        written,    ///< the system has accepted the whole write in progress
        closed,     ///< the stream is closed for the reason in `end`; a write in progress is lost
    };
    Kind kind = Kind::bytes;
    StreamIndex stream = 0;
    std::span<const std::byte> bytes;
    StreamEnd end = StreamEnd::finished;
};

/// A request from the endpoint to its driver. `out` of poll_stream() holds limits::stream_write_bytes_max bytes.
struct StreamRequest {
    enum class Kind : std::uint8_t {
        connect,  ///< to `peer`; completes with `connected` or `closed`. The driver sets no deadline; the endpoint does
        write,    ///< `bytes` at the front of `out`, at least one; completes with `written` or `closed`
        close,    ///< at once, even with a write in progress; data already `written` still reaches the peer
        pause,    ///< stop reading until `resume`, so that flow control stops the peer; `bytes` already received may
                  ///< follow
        resume,
    };
    Kind kind = Kind::write;
    StreamIndex stream = 0;
    Address peer;
    std::size_t bytes = 0;
};

}  // namespace ringpost
