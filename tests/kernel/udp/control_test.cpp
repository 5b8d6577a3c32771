#include "engine/udp/control.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <iterator>

#include "engine/udp/socket_errors.hpp"

namespace ringpost {
namespace {

template <class T>
ReceiveControl with_message(int level, int type, const T& value) {
    alignas(cmsghdr) unsigned char buffer[CMSG_SPACE(sizeof value)] = {};
    cmsghdr header{};
    header.cmsg_level = level;
    header.cmsg_type = type;
    header.cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(buffer, &header, sizeof header);
    std::memcpy(buffer + CMSG_LEN(0), &value, sizeof value);
    return read_control(buffer, sizeof buffer);
}

ReceiveControl with_stamps(const timespec& software, const timespec& device) {
    scm_timestamping stamps{};
    stamps.ts[0] = software;
    stamps.ts[2] = device;
    return with_message(SOL_SOCKET, SCM_TIMESTAMPING, stamps);
}

TEST(ReceiveControl, stamps_of_the_kernel_and_of_the_device) {
    const ReceiveControl kernel = with_stamps({7, 5}, {});
    EXPECT_EQ(kernel.stamped_unix_ns, 7 * second + 5);
    EXPECT_EQ(kernel.stamped_device_ns, never);
    const ReceiveControl device = with_stamps({}, {0, 9});
    EXPECT_EQ(device.stamped_unix_ns, never);
    EXPECT_EQ(device.stamped_device_ns, 9) << "its clock may count from when the device started";
    EXPECT_EQ(read_control(nullptr, 0).stamped_device_ns, never);
}

TEST(ReceiveControl, the_interface_of_a_link_local_address) {
    in6_pktinfo info{};
    info.ipi6_addr.s6_addr[0] = 0xfe;
    info.ipi6_addr.s6_addr[1] = 0x80;
    info.ipi6_ifindex = 7;
    EXPECT_EQ(with_message(IPPROTO_IPV6, IPV6_PKTINFO, info).local.scope, 7u);
    info.ipi6_addr.s6_addr[0] = 0xfd;
    EXPECT_EQ(with_message(IPPROTO_IPV6, IPV6_PKTINFO, info).local.scope, 0u);
}

TEST(ReceiveControl, what_is_not_known_is_ignored) {
    const int level[] = {IPPROTO_IP, IPPROTO_IPV6, SOL_UDP, SOL_SOCKET, 9'999};
    for (const int each : level) {
        const ReceiveControl control = with_message(each, 99, 5);
        EXPECT_EQ(control.segment_bytes, 0u) << each;
        EXPECT_EQ(control.hop_limit, ReceiveControl{}.hop_limit) << each;
        EXPECT_EQ(control.local, Address{}) << each;
        EXPECT_EQ(control.stamped_unix_ns, never) << each;
    }
}

// ---- errors ---------------------------------------------------------------------------------------

TEST(SocketErrors, are_counted_by_kind) {
    EngineCounters counters;
    const int unreachable[] = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT};
    for (const int error : unreachable) count_receive_error(counters, error);
    EXPECT_EQ(counters.unreachable, std::size(unreachable));
    for (const int error : {EAGAIN, EINTR, ENOBUFS, ECANCELED}) count_receive_error(counters, error);
    EXPECT_EQ(counters.receive_failed, 0u);
    count_receive_error(counters, EIO);
    EXPECT_EQ(counters.receive_failed, 1u);
    for (const int error : {0, EAGAIN, EINTR}) EXPECT_FALSE(may_be_queued(error)) << error;
    EXPECT_TRUE(may_be_queued(ECONNREFUSED));
}

}  // namespace
}  // namespace ringpost
