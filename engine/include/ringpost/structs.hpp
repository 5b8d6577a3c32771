#pragma once

// Struct messages: packets of a fixed layout with an id and a check byte, as Python's struct module packs them. They
// are not confirmed. Formats may be known at compile time (<ringpost/structs/typed.hpp>) or only at run time
// (<ringpost/structs/values.hpp>).

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/clock.hpp>
#include <ringpost/counters.hpp>
#include <ringpost/error.hpp>
#include <ringpost/export.hpp>
#include <ringpost/network.hpp>
#include <ringpost/options.hpp>
#include <ringpost/structs/library.hpp>
#include <ringpost/structs/typed.hpp>
#include <ringpost/structs/types.hpp>
#include <ringpost/structs/values.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

template <class Endpoint>
class PolledEndpoint;

}  // namespace ringpost

namespace ringpost::structs {

class Endpoint;

struct OpenOptions {
    Address bind = any_address(0);  ///< port 0: chosen by the kernel, see local()
    /// Receive only from these networks; empty: from all. Others are dropped (EngineCounters::not_allowed).
    std::vector<Subnet> allowed{};
    bool broadcast = false;  ///< allow broadcast destinations
    EngineOptions engine{};
};

/// Sends struct messages, one per datagram, and extracts those in received datagrams, which may hold several messages
/// and other bytes between them.
///
/// Not thread-safe: use it only on the thread that opened it. All work is done in poll(). Nothing is allocated after
/// open().
class RINGPOST_API Messenger {
  public:
    /// `library` must outlive this object, also when it is moved; messages may be added to it. The error names what
    /// failed: `bind 127.0.0.1:5005: Address already in use`.
    static Result<Messenger> open(const Library& library, const OpenOptions& options = {});
    Messenger(Messenger&&) noexcept;
    Messenger& operator=(Messenger&&) noexcept;
    /// Messages that no poll() has sent are dropped.
    ~Messenger();

    /// Copies the payload and sends it in the next poll(). Its id and size must be those of a message in the library.
    std::expected<void, Refusal> send(const Address& to, const Packet& packet);
    /// Packs `values` for a message type known at compile time: send_as<ReadingMessage>(to, reading).
    template <class AnyMessage, class... T>
    std::expected<void, Refusal> send_as(const Address& to, const T&... values) {
        return send(to, {AnyMessage::id, AnyMessage::payload(values...)});
    }

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
    explicit Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled);

    std::unique_ptr<PolledEndpoint<Endpoint>> polled_;
};

}  // namespace ringpost::structs
