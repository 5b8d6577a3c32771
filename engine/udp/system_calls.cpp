// One message uses the call with the fewest arguments for the kernel to copy; several use one sendmmsg or recvmmsg.

#include "engine/udp/system_calls.hpp"

#include <cerrno>

namespace ringpost {

int send_now(int fd, mmsghdr* messages, std::size_t count) {
    const msghdr& first = messages[0].msg_hdr;
    ssize_t result = 1;
    if (count > 1)
        result = sendmmsg(fd, messages, static_cast<unsigned>(count), MSG_DONTWAIT);
    else if (first.msg_control != nullptr)
        result = sendmsg(fd, &first, MSG_DONTWAIT);
    else
        result = sendto(fd, first.msg_iov->iov_base, first.msg_iov->iov_len, MSG_DONTWAIT,
                        static_cast<const sockaddr*>(first.msg_name), first.msg_namelen);
    if (result < 0) return -errno;
    return count > 1 ? static_cast<int>(result) : 1;
}

int receive_now(int fd, mmsghdr* messages, std::size_t count) {
    msghdr& first = messages[0].msg_hdr;
    ssize_t result = 0;
    if (count > 1)
        result = recvmmsg(fd, messages, static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
    else if (first.msg_control != nullptr)
        result = recvmsg(fd, &first, MSG_DONTWAIT);
    else  // MSG_TRUNC returns the full length; without it a truncated datagram would look complete
        result =
            recvfrom(fd, first.msg_iov->iov_base, first.msg_iov->iov_len, MSG_DONTWAIT | MSG_TRUNC,
                     static_cast<sockaddr*>(first.msg_name), first.msg_name != nullptr ? &first.msg_namelen : nullptr);
    if (result < 0) return -errno;
    if (count > 1) return static_cast<int>(result);
    messages[0].msg_len = static_cast<unsigned>(result);
    if (messages[0].msg_len > first.msg_iov->iov_len) first.msg_flags |= MSG_TRUNC;
    return 1;
}

}  // namespace ringpost
