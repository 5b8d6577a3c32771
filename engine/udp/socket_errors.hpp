#pragma once

// What an error of a UDP socket means, and where it is counted.

#include <cerrno>
#include <cstdint>
#include <ringpost/counters.hpp>

namespace ringpost {

/// ICMP has told that the peer, its port or its network is not there.
constexpr bool is_unreachable(int error) {
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

/// The socket's send buffer is full: the same message may go later.
constexpr bool is_full(int error) { return error == EAGAIN || error == ENOBUFS; }

/// How a path that cannot carry trains says so. Believed for the rest of the socket's life.
constexpr bool refuses_trains(int error) { return error == EIO || error == EINVAL || error == EMSGSIZE; }

inline void count_sent(EngineCounters& counters, std::uint64_t datagrams) {
    counters.sent += datagrams;
    ++counters.sent_trains;
}

inline void count_send_error(EngineCounters& counters, int error, std::uint64_t datagrams) {
    counters.send_failed += datagrams;
    counters.last_send_errno = error;
    if (is_unreachable(error)) ++counters.unreachable;
}

/// Errors that only mean "nothing now" are not counted.
inline void count_receive_error(EngineCounters& counters, int error) {
    if (is_unreachable(error))
        ++counters.unreachable;
    else if (error != EAGAIN && error != EINTR && error != ENOBUFS && error != ECANCELED)
        ++counters.receive_failed;
}

}  // namespace ringpost
