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

    const Counters& counters() const;
    /// Counters of the socket and the backend.
    EngineCounters engine_counters() const;

    const Address& local() const;
    /// `uring` or `mmsg`.
    const char* backend() const;
    /// Why BackendChoice::automatic did not select io_uring; "" if it did.
    const std::string& note() const;

  private:
    explicit Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled);

    std::unique_ptr<PolledEndpoint<Endpoint>> polled_;
};

}  // namespace ringpost::structs
