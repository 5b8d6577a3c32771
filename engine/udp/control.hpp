#pragma once

// The control messages that go with sendmsg and recvmsg, shared by both backends: trains both ways, time stamps in.

#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

#include <ringpost/time.hpp>

namespace ringpost {

/// UDP_SEGMENT: "cut this message every N bytes". A 16-bit value on the way out.
struct SegmentControl {
    alignas(cmsghdr) unsigned char bytes[CMSG_SPACE(sizeof(std::uint16_t))] = {};

    SegmentControl() = default;
    explicit SegmentControl(std::uint16_t segment_bytes) {
        cmsghdr header{};
        header.cmsg_level = SOL_UDP;
        header.cmsg_type = UDP_SEGMENT;
        header.cmsg_len = CMSG_LEN(sizeof segment_bytes);
        std::memcpy(bytes, &header, sizeof header);
        std::memcpy(bytes + CMSG_LEN(0), &segment_bytes, sizeof segment_bytes);
    }

    void attach(msghdr& message) {
        message.msg_control = bytes;
        message.msg_controllen = sizeof bytes;
    }
};

/// Room for what a received message may carry: UDP_GRO, an int on the way in.
inline constexpr std::size_t receive_control_bytes = CMSG_SPACE(sizeof(int));
/// And, on a socket that stamps, SCM_TIMESTAMPING: three times, of which the first is the software's.
inline constexpr std::size_t stamp_control_bytes = CMSG_SPACE(sizeof(scm_timestamping));
inline constexpr std::size_t receive_control_bytes_max = receive_control_bytes + stamp_control_bytes;

struct ReceiveControl {
    std::size_t segment_bytes = 0;    ///< that a received train was coalesced from; 0: a single datagram
    Instant stamped_unix_ns = never;  ///< when the kernel took it in, by the wall clock; `never`: no stamp
};

inline ReceiveControl read_control(void* control, std::size_t control_bytes) {
    ReceiveControl out;
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = control_bytes;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int value = 0;
            std::memcpy(&value, CMSG_DATA(c), sizeof value);
            out.segment_bytes = value > 0 ? static_cast<std::size_t>(value) : 0;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING) {
            scm_timestamping stamps{};
            std::memcpy(&stamps, CMSG_DATA(c), sizeof stamps);
            const timespec& software = stamps.ts[0];
            if (software.tv_sec > 0) out.stamped_unix_ns = Instant{software.tv_sec} * second + software.tv_nsec;
        }
    }
    return out;
}

}  // namespace ringpost
