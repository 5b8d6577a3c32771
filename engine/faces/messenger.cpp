// Forwards to the endpoint; poll() runs turns of a PolledEndpoint.

#include <ringpost/messenger.hpp>

#include <utility>

#include "engine/faces/polled_endpoint.hpp"

namespace ringpost::gtudp {

Result<Messenger> Messenger::open(const OpenOptions& options) {
    SocketOptions socket;
    socket.connect = options.connect;
    // A connected socket by itself reports only a closed port, not an unreachable host.
    socket.reports_errors = options.connect.family != Family::none;
    if (options.connect.family == Family::none) socket.bind = options.bind;
    socket.gro = options.gro;
    socket.allowed = options.allowed;
    auto polled = PolledEndpoint<Endpoint>::open(
        socket, {.backend = options.backend, .wait = options.wait, .gso = options.gso}, options.protocol);
    if (!polled) return std::unexpected(polled.error());
    return Messenger(std::move(*polled));
}

Messenger::Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled) : polled_(std::move(polled)) {}
Messenger::Messenger(Messenger&&) noexcept = default;
Messenger& Messenger::operator=(Messenger&&) noexcept = default;
Messenger::~Messenger() = default;

std::expected<ExchangeId, Refusal> Messenger::send(const Address& peer, std::span<const std::byte> bytes,
                                                   Instant deadline) {
    return polled_->endpoint.send(now(), peer, bytes, deadline);
}

bool Messenger::cancel(ExchangeId id) { return polled_->endpoint.cancel(id); }

bool Messenger::send_raw(const Address& peer, std::span<const std::byte> bytes) {
    return polled_->endpoint.send_raw(peer, bytes);
}

bool Messenger::poll(Duration timeout, const Handler& handler) { return polled_->poll(timeout, handler); }

void Messenger::wake() const { polled_->wake(); }

std::uint32_t Messenger::in_flight() const { return polled_->endpoint.in_flight(); }
Counters Messenger::counters() const { return polled_->endpoint.counters(); }
EngineCounters Messenger::engine_counters() const { return polled_->counters(); }
Duration Messenger::rtt(const Address& peer) const { return polled_->endpoint.rtt(peer); }
const Address& Messenger::local() const { return polled_->local; }
const char* Messenger::backend() const { return polled_->backend; }
const std::string& Messenger::note() const { return polled_->note; }

}  // namespace ringpost::gtudp
