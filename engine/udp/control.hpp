#pragma once

// Control messages (cmsg(3)) of sendmsg() and recvmsg(): segment size, local address and hop limit in both directions,
// time stamp and ECN field when receiving.

#include <time.h>
// After time.h, which it needs.
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <ringpost/address.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

/// Control data for the messages of one send buffer: source address, hop limit, and for trains the segment size
/// (UDP_SEGMENT, 16 bits).
class SendControl {
  public:
    /// Omits the source address if `local` is Family::none, the hop limit if it is 0, and the segment size if
    /// `segment_bytes` is 0. `destination` is the family of the destination, which the hop limit depends on.
    SendControl() = default;
    SendControl(const Address& local, Family destination, std::uint8_t hop_limit, std::uint16_t segment_bytes);

    /// Sets the control fields of `message`, which holds a train or a single datagram. *this must outlive the message.
    enum class Holds : std::uint8_t { train, datagram };
    void attach(msghdr& message, Holds holds);

  private:
    void append(int level, int type, const void* value, std::size_t value_bytes);

    static constexpr std::size_t bytes_max =
        CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(std::uint16_t));
    alignas(cmsghdr) unsigned char bytes_[bytes_max] = {};
    std::uint16_t datagram_bytes_ = 0;  ///< length of source address and hop limit, which come first
    std::uint16_t bytes_used_ = 0;      ///< total length
};

/// Buffer sizes for received control data: UDP_GRO (an int), SCM_TIMESTAMPING (three time stamps, the first by
/// software, the last by the device), the local address (a dual-stack socket reports IPv4 in both formats), the ECN
/// field (also in both), and the hop limit (an int).
inline constexpr std::size_t gro_control_bytes = CMSG_SPACE(sizeof(int));
inline constexpr std::size_t stamp_control_bytes = CMSG_SPACE(sizeof(scm_timestamping));
inline constexpr std::size_t local_control_bytes = CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_SPACE(sizeof(in6_pktinfo));
inline constexpr std::size_t ecn_control_bytes = CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int));
inline constexpr std::size_t hop_limit_control_bytes = CMSG_SPACE(sizeof(int));
inline constexpr std::size_t receive_control_bytes_max =
    gro_control_bytes + stamp_control_bytes + local_control_bytes + ecn_control_bytes + hop_limit_control_bytes;

struct ReceiveControl {
    std::size_t segment_bytes = 0;      ///< of a received train; 0: a single datagram
    Instant stamped_unix_ns = never;    ///< kernel receive time (CLOCK_REALTIME); `never`: no stamp
    Instant stamped_device_ns = never;  ///< the network device's receive time, by its own clock; `never`: no stamp
    Address local;                      ///< without the port; Family::none: not reported
    Ecn ecn = Ecn::not_capable;
    std::uint8_t hop_limit = 0;  ///< at least 1; 0: not reported
    bool to_group = false;       ///< sent to a multicast or broadcast address; known where `local` is requested
};

ReceiveControl read_control(void* control, std::size_t control_bytes);

}  // namespace ringpost
