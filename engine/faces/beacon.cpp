// Forwards to the endpoint; poll() runs turns of a PolledEndpoint. The wall clock may be stepped, so its offset is read
// again before each poll().

#include <ringpost/beacon.hpp>

#include <utility>

#include "codec/beacon/endpoint.hpp"
#include "engine/faces/fresh_options.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost::beacon {

Result<Beacon> Beacon::open(const OpenOptions& options) {
    SocketOptions socket;
    socket.bind = options.bind;
    socket.broadcast = options.broadcast;
    Options protocol = fresh_options(options.protocol);
    protocol.unix_offset = unix_offset();
    auto polled = PolledEndpoint<Endpoint>::open(socket, options.engine, protocol);
    if (!polled) return std::unexpected(polled.error());
    return Beacon(std::move(*polled));
}

Beacon::Beacon(std::unique_ptr<PolledEndpoint<Endpoint>> polled) : polled_(std::move(polled)) {}
Beacon::Beacon(Beacon&&) noexcept = default;
Beacon& Beacon::operator=(Beacon&&) noexcept = default;
Beacon::~Beacon() = default;

bool Beacon::poll(Duration timeout, const Handler& handler) {
    polled_->endpoint.set_unix_offset(unix_offset());
    return polled_->poll(timeout, handler);
}
void Beacon::wake() const { polled_->wake(); }

bool Beacon::finished() const { return polled_->endpoint.finished(); }
Counters Beacon::counters() const { return polled_->endpoint.counters(); }
EngineCounters Beacon::engine_counters() const { return polled_->counters(); }
const Address& Beacon::local() const { return polled_->local; }
const char* Beacon::backend() const { return polled_->backend; }
const std::string& Beacon::note() const { return polled_->note; }

}  // namespace ringpost::beacon
