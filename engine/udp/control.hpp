#pragma once

// Control messages of sendmsg() and recvmsg(): trains and local addresses both ways, time stamps and ECN on the way in.

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

/// What goes with one buffer's messages: the source address, and for trains where to cut them (UDP_SEGMENT, 16 bits).
class SendControl {
  public:
    /// `local` of Family::none, `segment_bytes` of 0: without.
    SendControl() = default;
    SendControl(const Address& local, std::uint16_t segment_bytes);

    /// Points `message`, which holds a train or a single datagram, at what it needs, if anything. This must outlive it.
    enum class Holds : std::uint8_t { train, datagram };
    void attach(msghdr& message, Holds holds);

  private:
    void append(int level, int type, const void* value, std::size_t value_bytes);

    static constexpr std::size_t bytes_max = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t));
    alignas(cmsghdr) unsigned char bytes_[bytes_max] = {};
    std::uint16_t local_bytes_ = 0;  ///< that come first
    std::uint16_t bytes_used_ = 0;   ///< of all
};

/// Room for UDP_GRO (an int on the way in), SCM_TIMESTAMPING (three times, the first of which is the software's), the
/// local address (a dual-stack socket reports IPv4 both ways), and the ECN field.
inline constexpr std::size_t gro_control_bytes = CMSG_SPACE(sizeof(int));
inline constexpr std::size_t stamp_control_bytes = CMSG_SPACE(sizeof(scm_timestamping));
inline constexpr std::size_t local_control_bytes = CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_SPACE(sizeof(in6_pktinfo));
inline constexpr std::size_t ecn_control_bytes = CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int));
inline constexpr std::size_t receive_control_bytes_max =
    gro_control_bytes + stamp_control_bytes + local_control_bytes + ecn_control_bytes;

struct ReceiveControl {
    std::size_t segment_bytes = 0;    ///< of a received train; 0: a single datagram
    Instant stamped_unix_ns = never;  ///< when the kernel received it, by the wall clock; `never`: no stamp
    Address local;                    ///< without the port; Family::none: not reported
    Ecn ecn = Ecn::not_capable;
};

ReceiveControl read_control(void* control, std::size_t control_bytes);

}  // namespace ringpost
