// Driver is the endpoint and what it is on; DriverOn<Loop> adds the one virtual call that depends on the backend, a
// turn of the loop. poll() is an Application (engine/loop.hpp) whose deadline is the caller's.

#include "engine/api/messenger.hpp"

#include <utility>

#include "codec/base/check.hpp"

namespace ringpost::gtudp {

struct Messenger::Driver {
    Driver(const Options& options, const Address& address, const char* name)
        : endpoint(options), local(address), backend(name) {}
    virtual ~Driver() = default;
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    virtual void turn() = 0;
    virtual Counters counters() = 0;

    // What the loop calls.
    void on_event(Instant, const Event& event) {
        happened = true;
        (*handler)(event);
    }
    /// Once something has happened the turn only sends what that has brought about.
    Instant on_turn(Instant at) const { return happened ? at : deadline; }

    Endpoint endpoint;
    Address local;
    const char* backend;
    std::string note;
    const Handler* handler = nullptr;  // while poll() runs
    Instant deadline = never;
    bool happened = false;
};

template <class AnyLoop>
struct Messenger::DriverOn : Driver {
    DriverOn(AnyLoop&& opened, const Options& options, UdpSocket socket)
        : Driver(options, socket.local(), opened.backend().name), loop(std::move(opened)) {
        loop.backend().add(std::move(socket));
    }

    void turn() override { loop.turn(endpoint, static_cast<Driver&>(*this)); }
    Counters counters() override { return loop.backend().counters(); }

    AnyLoop loop;
};

Result<Messenger> Messenger::open(const OpenOptions& options) {
    SocketOptions wanted;
    wanted.bind = options.bind;
    wanted.gro = options.gro;
    auto socket = UdpSocket::open(wanted);
    if (!socket) return std::unexpected(socket.error());
    Options protocol = options.protocol;
    protocol.start = now();
    std::string note;
    const auto drive = [&](auto& loop) -> std::unique_ptr<Driver> {
        using AnyLoop = std::remove_reference_t<decltype(loop)>;
        return std::make_unique<DriverOn<AnyLoop>>(std::move(loop), protocol, std::move(*socket));
    };
    auto driver = with_loop(
        {.backend = options.backend, .wait = options.wait, .gso = options.gso},
        [&](const std::string& text) { note = text; }, drive);
    if (!driver) return std::unexpected(driver.error());
    (*driver)->note = std::move(note);
    return Messenger(std::move(*driver));
}

Messenger::Messenger(std::unique_ptr<Driver> driver) : driver_(std::move(driver)) {}
Messenger::Messenger(Messenger&&) noexcept = default;
Messenger& Messenger::operator=(Messenger&&) noexcept = default;
Messenger::~Messenger() = default;

std::expected<ExchangeId, Refusal> Messenger::send(const Address& peer, std::span<const std::byte> bytes,
                                                   Instant deadline) {
    return driver_->endpoint.send(now(), peer, bytes, deadline);
}

bool Messenger::cancel(ExchangeId id) { return driver_->endpoint.cancel(id); }

bool Messenger::send_raw(const Address& peer, std::span<const std::byte> bytes) {
    return driver_->endpoint.send_raw(peer, bytes);
}

bool Messenger::poll(Duration timeout, const Handler& handler) {
    Driver& driver = *driver_;
    RINGPOST_CHECK(driver.handler == nullptr);  // not from within a handler
    const Instant at = now();
    driver.handler = &handler;
    driver.deadline = timeout < never - at ? at + timeout : never;
    driver.happened = false;
    driver.turn();
    // What the wait at a turn's end brings is handed over by the next, so one more follows the deadline.
    for (bool late = false; !driver.happened && !late;) {
        late = now() >= driver.deadline;
        driver.turn();
    }
    driver.handler = nullptr;
    return driver.happened;
}

std::uint32_t Messenger::in_flight() const { return driver_->endpoint.in_flight(); }
Counts Messenger::counts() const { return driver_->endpoint.counts(); }
Counters Messenger::counters() { return driver_->counters(); }
Duration Messenger::rtt(const Address& peer) const { return driver_->endpoint.rtt(peer); }
const Address& Messenger::local() const { return driver_->local; }
const char* Messenger::backend() const { return driver_->backend; }
const std::string& Messenger::note() const { return driver_->note; }

}  // namespace ringpost::gtudp
