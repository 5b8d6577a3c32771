#pragma once

// Classification and counting of UDP socket errors.

#include <cerrno>
#include <cstdint>
#include <ringpost/counters.hpp>

namespace ringpost {

/// An ICMP error: port, host or network unreachable. Or no address of this host reaches the target, as with IPv6 off.
constexpr bool is_unreachable(int error) {
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EADDRNOTAVAIL ||
           error == EAFNOSUPPORT;
}

/// The send buffer is full: retry later.
constexpr bool is_full(int error) { return error == EAGAIN || error == ENOBUFS; }

/// Errors of a path that does not support GSO trains.
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

/// Whether a send or a receive failed by an error that may also be in the socket's error queue. Not the end of a
/// request that was cancelled or had no buffer: an error that waits for the next receive must stay.
constexpr bool may_be_queued(int error) {
    return error != 0 && error != EAGAIN && error != EINTR && error != ECANCELED && error != ENOBUFS;
}

/// Does not count errors that only mean that nothing was received.
inline void count_receive_error(EngineCounters& counters, int error) {
    if (is_unreachable(error))
        ++counters.unreachable;
    else if (error != EAGAIN && error != EINTR && error != ENOBUFS && error != ECANCELED)
        ++counters.receive_failed;
}

}  // namespace ringpost
