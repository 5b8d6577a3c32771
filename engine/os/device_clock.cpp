// Stamps of a device count from an epoch of its own. Reading its clock takes microseconds, as it is behind a bus, so
// the system's clock is read before and after, and of several readings the one that took least counts.

#include "engine/os/device_clock.hpp"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/os/clock.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost {
namespace {

constexpr Duration compare_every = 50 * millisecond;
constexpr int readings = 3;

/// An ioctl that names an interface.
class Requests {
  public:
    explicit Requests(const std::string& interface) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        std::strncpy(request_.ifr_name, interface.c_str(), IFNAMSIZ - 1);
    }
    ~Requests() {
        if (fd_ >= 0) ::close(fd_);
    }
    Requests(const Requests&) = delete;
    Requests& operator=(const Requests&) = delete;

    /// 0, or errno.
    int ask(unsigned long what, void* data) {
        ifreq request = request_;
        request.ifr_data = static_cast<char*>(data);
        return fd_ >= 0 && ioctl(fd_, what, &request) == 0 ? 0 : errno;
    }

  private:
    int fd_;
    ifreq request_{};
};

bool stamps_all(const ethtool_ts_info& info) {
    constexpr std::uint32_t needed = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
    return (info.so_timestamping & needed) == needed && (info.rx_filters & (1u << HWTSTAMP_FILTER_ALL)) != 0 &&
           info.phc_index >= 0;
}

/// 0, or errno.
int turn_on(Requests& requests) {
    hwtstamp_config config{};
    if (requests.ask(SIOCGHWTSTAMP, &config) == 0 && config.rx_filter == HWTSTAMP_FILTER_ALL) return 0;
    config.rx_filter = HWTSTAMP_FILTER_ALL;
    const int error = requests.ask(SIOCSHWTSTAMP, &config);
    return error == 0 && config.rx_filter != HWTSTAMP_FILTER_ALL ? ERANGE : error;
}

/// The clock behind a descriptor (clock_gettime(2), dynamic clocks).
clockid_t clock_of(int fd) { return static_cast<clockid_t>((~static_cast<unsigned>(fd) << 3) | 3); }

}  // namespace

Result<DeviceClock> DeviceClock::open(const std::string& interface) {
    Requests requests(interface);
    ethtool_ts_info info{};
    info.cmd = ETHTOOL_GET_TS_INFO;
    if (requests.ask(SIOCETHTOOL, &info) != 0 || !stamps_all(info))
        return std::unexpected(Error{EOPNOTSUPP, interface + " does not stamp what it receives"});
    if (const int error = turn_on(requests); error != 0)
        return std::unexpected(system_error("turn on the stamps of " + interface, error));
    const std::string device = "/dev/ptp" + std::to_string(info.phc_index);
    const int fd = ::open(device.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::unexpected(system_error("open " + device + ", the clock of " + interface, errno));
    DeviceClock out(clock_of(fd), fd);
    out.compare();
    if (!out.readable_) return std::unexpected(system_error("read " + device + ", the clock of " + interface, errno));
    return out;
}

DeviceClock::DeviceClock(DeviceClock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      clock_(other.clock_),
      compared_at_(other.compared_at_),
      ahead_(other.ahead_),
      readable_(other.readable_) {}

DeviceClock::~DeviceClock() {
    if (fd_ >= 0) ::close(fd_);
}

Instant DeviceClock::to_unix(Instant device_ns) {
    if (compared_at_ < 0 || now() - compared_at_ > compare_every) compare();
    return readable_ ? device_ns - ahead_ : never;
}

void DeviceClock::compare() {
    Duration least = never;
    for (int i = 0; i < readings; ++i) {
        timespec before{}, device{}, after{};
        clock_gettime(CLOCK_REALTIME, &before);
        readable_ = clock_gettime(clock_, &device) == 0;
        clock_gettime(CLOCK_REALTIME, &after);
        if (!readable_) return;
        const auto ns = [](const timespec& at) { return Instant{at.tv_sec} * second + at.tv_nsec; };
        const Duration took = ns(after) - ns(before);
        if (took >= least) continue;
        least = took;
        ahead_ = ns(device) - ns(before) - took / 2;
    }
    compared_at_ = now();
}

}  // namespace ringpost
