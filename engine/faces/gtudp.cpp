// Forwards to the endpoint; poll() runs turns of a PolledEndpoint.

#include <ringpost/gtudp.hpp>

#include <utility>

#include "codec/gtudp/endpoint.hpp"
#include "engine/faces/gtudp_open.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost::gtudp {

Result<Messenger> Messenger::open(const OpenOptions& options) {
    const auto opening = opening_of(options);
    if (!opening) return std::unexpected(opening.error());
    auto polled = PolledEndpoint<Endpoint>::open(opening->socket, options.engine, opening->protocol);
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
