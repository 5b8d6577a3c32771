// Forwards to the endpoint; poll() runs turns of a PolledEndpoint.

#include <ringpost/gtudp.hpp>

#include <utility>

#include "codec/gtudp/endpoint.hpp"
#include "engine/faces/gtudp_open.hpp"
#include "engine/faces/memory_budget.hpp"
#include "engine/faces/option_check.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost::gtudp {

Result<Messenger> Messenger::open(const OpenOptions& options) {
    const auto opening = opening_of(options);
    if (!opening) return std::unexpected(opening.error());
    auto polled = PolledEndpoint<Endpoint>::open(opening->socket, options.engine, opening->protocol);
    if (!polled) return std::unexpected(polled.error());
    (*polled)->memory_bytes = engine_budget((*polled)->backend) + endpoint_budget(options.protocol);
    return Messenger(std::move(*polled));
}

Messenger::Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled) : polled_(std::move(polled)) {}
Messenger::Messenger(Messenger&&) noexcept = default;
Messenger& Messenger::operator=(Messenger&&) noexcept = default;
Messenger::~Messenger() = default;

std::expected<ExchangeId, Refusal> Messenger::send(const Address& peer, std::span<const std::byte> bytes,
                                                   Instant deadline) {
    auto& polled = used(polled_);
    if (!may_be_peer(peer, polled.local)) {
        ++polled.bad_peers;
        return std::unexpected(Refusal::bad_peer);
    }
    return polled.change().send(now(), peer, bytes, deadline);
}

bool Messenger::cancel(ExchangeId id) { return used(polled_).change().cancel(id); }

bool Messenger::send_raw(const Address& peer, std::span<const std::byte> bytes) {
    return may_be_peer(peer, used(polled_).local) && polled_->change().send_raw(peer, bytes);
}

bool Messenger::poll(Duration timeout, const Handler& handler) { return used(polled_).poll(timeout, handler); }

void Messenger::wake() const { present(polled_).wake(); }
bool Messenger::usable() const { return polled_ != nullptr && polled_->usable(); }
int Messenger::fd() { return used(polled_).fd(); }
Instant Messenger::next_deadline() const { return used(polled_).next_deadline(); }

std::uint32_t Messenger::in_flight() const { return used(polled_).endpoint.in_flight(); }
std::uint32_t Messenger::awaiting_acks() const { return used(polled_).endpoint.awaiting_acks(); }
Counters Messenger::counters() const {
    Counters out = used(polled_).endpoint.counters();
    out.refused_bad_peer = polled_->bad_peers;
    return out;
}
EngineCounters Messenger::engine_counters() const { return used(polled_).counters(); }
Duration Messenger::rtt(const Address& peer) const { return used(polled_).endpoint.rtt(peer); }
const Address& Messenger::local() const { return present(polled_).local; }
const char* Messenger::backend() const { return present(polled_).backend; }
std::size_t Messenger::memory_bytes() const { return present(polled_).memory_bytes; }
const std::string& Messenger::note() const { return present(polled_).note; }

}  // namespace ringpost::gtudp
