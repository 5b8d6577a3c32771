#pragma once

// Beacons: datagrams with a time, an address and a quote, sent periodically and not confirmed.

#include <functional>
#include <memory>
#include <string>

#include <ringpost/address.hpp>
#include <ringpost/beacon/types.hpp>
#include <ringpost/clock.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/export.hpp>
#include <ringpost/network.hpp>
#include <ringpost/options.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

template <class Endpoint>
class PolledEndpoint;

}  // namespace ringpost

namespace ringpost::beacon {

class Endpoint;

struct OpenOptions {
    Address bind = any_address(0);  ///< port 0: chosen by the kernel, see local()
    bool broadcast = false;         ///< allow broadcast destinations
    EngineOptions engine{};
    ProtocolOptions protocol{};
};

/// Sends a quote to every target each period, and reports received beacons.
///
/// Not thread-safe: use it only on the thread that opened it. All work is done in poll(). Nothing is allocated after
/// open().
class RINGPOST_API Beacon {
  public:
    /// The error names what failed: `bind 127.0.0.1:5005: Address already in use`.
    static Result<Beacon> open(const OpenOptions& options = {});
    Beacon(Beacon&&) noexcept;
    Beacon& operator=(Beacon&&) noexcept;
    ~Beacon();

    /// The event and what it points to are valid during the call only. The handler may call any member except poll(),
    /// and must not throw.
    using Handler = std::function<void(const Event&)>;
    /// Sends and receives until at least one event was passed to `handler` or `timeout` has elapsed. 0 never sleeps;
    /// `never` has no limit. Returns whether there was an event.
    bool poll(Duration timeout, const Handler& handler);
    /// Ends a poll() early, or else the next one. Any thread, and from a signal handler.
    void wake() const;

    /// Whether every round (ProtocolOptions::rounds) has been sent.
    bool finished() const;
    Counters counters() const;
    /// Counters of the socket and the backend.
    EngineCounters engine_counters() const;

    const Address& local() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic did not select io_uring; "" if it did.
    const std::string& note() const;

  private:
    explicit Beacon(std::unique_ptr<PolledEndpoint<Endpoint>> polled);

    std::unique_ptr<PolledEndpoint<Endpoint>> polled_;
};

}  // namespace ringpost::beacon
