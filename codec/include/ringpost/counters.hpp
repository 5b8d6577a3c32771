#pragma once

#include <cstdint>

namespace ringpost {

/// Operations and losses of one engine since it started, by cause.
struct EngineCounters {
    std::uint64_t received = 0;         ///< datagrams handed to the endpoint
    std::uint64_t received_trains = 0;  ///< of them, deliveries by the kernel
    std::uint64_t sent = 0;             ///< datagrams the kernel took
    std::uint64_t sent_trains = 0;      ///< of them, hand-overs to the kernel
    std::uint64_t send_retried = 0;     ///< hand-overs put back because the socket's send buffer was full
    std::uint64_t trains_refused = 0;   ///< sockets whose path takes no trains: from then on datagrams go singly
    std::uint64_t send_failed = 0;      ///< datagrams the kernel refused
    std::uint64_t unreachable = 0;      ///< reports that a peer, its port or its network cannot be reached
    std::uint64_t truncated = 0;        ///< deliveries that did not fit their buffer, dropped
    std::uint64_t receive_failed = 0;   ///< receive errors of any other kind
    std::uint64_t socket_dropped = 0;   ///< by the kernel, a receive buffer being full; a train counts as one

    std::uint64_t streams_accepted = 0;       ///< connections of others that the endpoint took
    std::uint64_t streams_refused = 0;        ///< and that it did not
    std::uint64_t accept_failed = 0;          ///< connections that could not be accepted: no descriptor, no memory
    std::uint64_t streams_connected = 0;      ///< connections that were made
    std::uint64_t connect_failed = 0;         ///< and that were not
    std::uint64_t streams_broken = 0;         ///< ended by a reset or an error
    std::uint64_t stream_bytes_sent = 0;      ///< that the kernel took
    std::uint64_t stream_bytes_received = 0;  ///< handed to the endpoint

    int last_send_errno = 0;
};

}  // namespace ringpost
