#pragma once

// The direct system calls of the datagram path, in a file of their own so that tests can replace them at link time.

#include <sys/socket.h>

#include <cstddef>

namespace ringpost {

/// Sends up to `count` messages without blocking. Returns how many were sent, or a negative errno if the first failed.
/// A single message uses the cheapest call that fits (sendto or sendmsg), several use sendmmsg.
int send_now(int fd, mmsghdr* messages, std::size_t count);

/// Receives up to `count` messages without blocking, with the same return value. Lengths are in msg_len.
int receive_now(int fd, mmsghdr* messages, std::size_t count);

}  // namespace ringpost
