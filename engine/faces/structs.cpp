// Forwards to the endpoint; poll() runs turns of a PolledEndpoint.

#include <ringpost/structs.hpp>

#include <utility>

#include "codec/structs/endpoint.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost::structs {

Result<Messenger> Messenger::open(const Library& library, const OpenOptions& options) {
    SocketOptions socket;
    socket.bind = options.bind;
    socket.allowed = options.allowed;
    socket.broadcast = options.broadcast;
    auto polled = PolledEndpoint<Endpoint>::open(
        socket, options.engine, [&](SocketIndex index) -> Endpoint { return Endpoint(library, index); });
    if (!polled) return std::unexpected(polled.error());
    return Messenger(std::move(*polled));
}

Messenger::Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled) : polled_(std::move(polled)) {}
Messenger::Messenger(Messenger&&) noexcept = default;
Messenger& Messenger::operator=(Messenger&&) noexcept = default;
Messenger::~Messenger() = default;

std::expected<void, Refusal> Messenger::send(const Address& to, const Packet& packet) {
    return polled_->endpoint.send(to, packet);
}

bool Messenger::poll(Duration timeout, const Handler& handler) { return polled_->poll(timeout, handler); }
void Messenger::wake() const { polled_->wake(); }

const Counters& Messenger::counters() const { return polled_->endpoint.counters(); }
EngineCounters Messenger::engine_counters() const { return polled_->counters(); }
const Address& Messenger::local() const { return polled_->local; }
const char* Messenger::backend() const { return polled_->backend; }
const std::string& Messenger::note() const { return polled_->note; }

}  // namespace ringpost::structs
