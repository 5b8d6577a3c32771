// Network devices with stamps, offloads and a driver, which most machines of tests do not have.

#include <gtest/gtest.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "engine/os/device_clock.hpp"
#include "engine/os/interface_facts.hpp"
#include "tests/kernel/failing/failing_calls.hpp"
#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {
namespace {

/// What a device answers. By default it stamps all datagrams, with a clock that has no file.
struct FakeDevice {
    ethtool_ts_info stamps{.cmd = ETHTOOL_GET_TS_INFO,
                           .so_timestamping = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE,
                           .phc_index = 4242,
                           .tx_types = 0,
                           .tx_reserved = {},
                           .rx_filters = 1u << HWTSTAMP_FILTER_ALL,
                           .rx_reserved = {}};
    int rx_filter = HWTSTAMP_FILTER_ALL;      ///< in use
    int rx_filter_set = HWTSTAMP_FILTER_ALL;  ///< in use after it was set
    int set_error = 0, get_error = 0;
    std::string driver = "fake";
    std::uint32_t failing_command = 0;  ///< of ethtool

    std::optional<int> operator()(unsigned long request, void* argument) const {
        char* const data = static_cast<ifreq*>(argument)->ifr_data;
        if (request == SIOCGHWTSTAMP || request == SIOCSHWTSTAMP) {
            hwtstamp_config config{};
            config.rx_filter = request == SIOCGHWTSTAMP ? rx_filter : rx_filter_set;
            std::memcpy(data, &config, sizeof config);
            return request == SIOCGHWTSTAMP ? get_error : set_error;
        }
        if (request != SIOCETHTOOL) return std::nullopt;
        std::uint32_t command = 0;
        std::memcpy(&command, data, sizeof command);
        if (command == failing_command) return EOPNOTSUPP;
        switch (command) {
            case ETHTOOL_GET_TS_INFO: std::memcpy(data, &stamps, sizeof stamps); return 0;
            case ETHTOOL_GDRVINFO: std::strcpy(data + offsetof(ethtool_drvinfo, driver), driver.c_str()); return 0;
            case ETHTOOL_GSSET_INFO: data[sizeof(ethtool_sset_info)] = 3; return 0;
            case ETHTOOL_GSTRINGS:
                std::strcpy(data + sizeof(ethtool_gstrings), "tx-on");
                std::strcpy(data + sizeof(ethtool_gstrings) + ETH_GSTRING_LEN, "rx-off");
                std::strcpy(data + sizeof(ethtool_gstrings) + 2 * std::size_t{ETH_GSTRING_LEN}, "not-there");
                return 0;
            case ETHTOOL_GFEATURES: {
                const ethtool_get_features_block block{.available = 3, .requested = 1, .active = 1, .never_changed = 0};
                std::memcpy(data + sizeof(ethtool_gfeatures), &block, sizeof block);
                return 0;
            }
            default: return EOPNOTSUPP;
        }
    }
};

std::string opening_error(const FakeDevice& device) {
    const FakedIoctl faked(device);
    const auto opened = DeviceClock::open("nic0");
    return opened ? "opened" : opened.error().text;
}

TEST(FakedDevices, the_stamps_of_one_that_has_them_are_turned_on) {
    const std::string no_file = "open /dev/ptp4242, the clock of nic0: No such file or directory";
    FakeDevice device;
    EXPECT_EQ(opening_error(device), no_file) << "they were on";
    device.rx_filter = HWTSTAMP_FILTER_NONE;
    EXPECT_EQ(opening_error(device), no_file);
    device.get_error = EOPNOTSUPP;
    EXPECT_EQ(opening_error(device), no_file) << "an old driver can only set it";
    device.rx_filter_set = HWTSTAMP_FILTER_PTP_V2_EVENT;
    EXPECT_EQ(opening_error(device), "turn on the stamps of nic0: Numerical result out of range");
    device.set_error = EPERM;
    EXPECT_EQ(opening_error(device), "turn on the stamps of nic0: Operation not permitted");
}

TEST(FakedDevices, one_that_stamps_not_all_is_refused) {
    const std::string refused = "nic0 does not stamp what it receives";
    FakeDevice device;
    device.stamps.phc_index = -1;
    EXPECT_EQ(opening_error(device), refused);
    device.stamps.rx_filters = 1u << HWTSTAMP_FILTER_PTP_V2_EVENT;
    EXPECT_EQ(opening_error(device), refused);
    device.stamps.so_timestamping = SOF_TIMESTAMPING_RX_SOFTWARE;
    EXPECT_EQ(opening_error(device), refused);
    device = {};
    device.failing_command = ETHTOOL_GET_TS_INFO;
    EXPECT_EQ(opening_error(device), refused);
    const FailingCall failing("socket", EMFILE, 1);
    EXPECT_EQ(opening_error(FakeDevice{}), refused);
}

TEST(FakedDevices, the_driver_and_the_offloads_of_an_interface) {
    FakeDevice device;
    const auto facts = [&] {
        const FakedIoctl faked(device);
        return interface_facts(loopback_v4()).value();
    };
    EXPECT_EQ(facts().driver, "fake");
    const std::vector<std::pair<std::string, bool>> offloads{{"tx-on", true}, {"rx-off", false}}, none;
    EXPECT_EQ(facts().offloads, offloads);
    for (const std::uint32_t command : {ETHTOOL_GSSET_INFO, ETHTOOL_GSTRINGS, ETHTOOL_GFEATURES}) {
        device.failing_command = command;
        EXPECT_EQ(facts().offloads, none);
    }
    device.failing_command = ETHTOOL_GDRVINFO;
    EXPECT_FALSE(facts().driver);
    EXPECT_EQ(facts().offloads, offloads);
    device = {.driver = ""};
    EXPECT_FALSE(facts().driver);
    const FailingCall failing("getifaddrs", EMFILE, 1);
    EXPECT_FALSE(interface_facts(loopback_v4()));
}

TEST(FakedDevices, an_interface_is_known_without_a_descriptor_to_ask_it) {
    const FailingCall failing("socket", EMFILE, 1);
    const auto facts = interface_facts(loopback_v4());
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->name, "lo");
    EXPECT_FALSE(facts->driver);
    EXPECT_TRUE(failing.reached());
}

}  // namespace
}  // namespace ringpost::test
