#pragma once

// Beacons: datagrams with a time, an address and a quote, sent periodically and not confirmed.

#include <cstddef>
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

    /// For a program with an event loop of another library: wait until fd() is readable or next_deadline() is reached,
    /// then call poll(0, ...), which never blocks. The descriptor belongs to this object; do not read from it or close
    /// it. From the first call of fd() on, the socket is not polled directly, which costs some latency.
    int fd();
    /// When poll() is due although fd() is not readable: an instant in the past if it is due now, as after a send;
    /// `never` if it is not.
    Instant next_deadline() const;

    /// Whether this object may be used: it was not moved from, and this is the thread and the process that opened it.
    /// Otherwise every member but this one and wake(), and those that any thread may call, ends the process with a line
    /// that gives the reason. After fork() the child may only destroy it, which leaves its descriptors open until the
    /// child ends or calls exec.
    bool usable() const;

    /// Whether every round (ProtocolOptions::rounds) has been sent.
    bool finished() const;
    Counters counters() const;
    /// Counters of the socket and the backend.
    EngineCounters engine_counters() const;

    // Any thread.
    const Address& local() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic did not select io_uring; "" if it did.
    const std::string& note() const;

    /// The memory that this object has reserved: a bound that depends on its options only. It takes up pages as tables
    /// and buffers fill.
    std::size_t memory_bytes() const;

  private:
    explicit Beacon(std::unique_ptr<PolledEndpoint<Endpoint>> polled);

    std::unique_ptr<PolledEndpoint<Endpoint>> polled_;
};

}  // namespace ringpost::beacon
