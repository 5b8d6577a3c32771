#include "engine/udp/control.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace ringpost {
namespace {

ReceiveControl with_stamps(const timespec& software, const timespec& device) {
    scm_timestamping stamps{};
    stamps.ts[0] = software;
    stamps.ts[2] = device;
    alignas(cmsghdr) unsigned char buffer[CMSG_SPACE(sizeof stamps)] = {};
    cmsghdr header{};
    header.cmsg_level = SOL_SOCKET;
    header.cmsg_type = SCM_TIMESTAMPING;
    header.cmsg_len = CMSG_LEN(sizeof stamps);
    std::memcpy(buffer, &header, sizeof header);
    std::memcpy(buffer + CMSG_LEN(0), &stamps, sizeof stamps);
    return read_control(buffer, sizeof buffer);
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

}  // namespace
}  // namespace ringpost
