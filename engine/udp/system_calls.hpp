#pragma once

// The direct system calls of the datagram path, apart so that tests can link others in their place.

#include <sys/socket.h>

#include <cstddef>

namespace ringpost {

/// Sends up to `count` messages without waiting: how many went, or a negative errno if the first did not. One message
/// goes by the call that has the least to unpack: send, sendto, sendmsg; several by sendmmsg.
int send_now(int fd, mmsghdr* messages, std::size_t count);

/// Receives up to `count` messages without waiting, likewise; their lengths are in msg_len.
int receive_now(int fd, mmsghdr* messages, std::size_t count);

}  // namespace ringpost
