#pragma once

#include <ctime>
#include <string>

#include <ringpost/error.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

/// The clock with which a network device stamps what it receives (a PTP hardware clock), compared with CLOCK_REALTIME.
/// Unless something disciplines it, it drifts, so the two are compared again every 50 ms. Not thread-safe.
class DeviceClock {
  public:
    /// Lets the device stamp all that it receives, which needs CAP_NET_ADMIN unless it does already. The error has the
    /// reason: `eth0 does not stamp what it receives`.
    static Result<DeviceClock> open(const std::string& interface);
    /// Any clock of clock_gettime(). Takes the descriptor that it belongs to, if any.
    explicit DeviceClock(clockid_t clock, int fd = -1) : fd_(fd), clock_(clock) {}
    DeviceClock(DeviceClock&& other) noexcept;
    DeviceClock& operator=(DeviceClock&&) = delete;
    ~DeviceClock();

    /// CLOCK_REALTIME at a stamp, both in nanoseconds; `never` if the clock cannot be read any more.
    Instant to_unix(Instant device_ns);

  private:
    void compare();

    int fd_;
    clockid_t clock_;
    Instant compared_at_ = -1;  ///< in now()'s scale; -1: not yet
    Duration ahead_ = 0;        ///< of CLOCK_REALTIME
    bool readable_ = true;
};

}  // namespace ringpost
