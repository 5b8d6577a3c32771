#pragma once

// The two control messages that carry trains through sendmsg and recvmsg, shared by both backends.

#include <netinet/udp.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

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

/// The segment size a received train was coalesced from, or 0 for a single datagram.
inline std::size_t gro_segment_bytes(void* control, std::size_t control_bytes) {
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = control_bytes;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int value = 0;
            std::memcpy(&value, CMSG_DATA(c), sizeof value);
            return value > 0 ? static_cast<std::size_t>(value) : 0;
        }
    return 0;
}

}  // namespace ringpost
