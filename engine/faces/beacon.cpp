// Forwards to the endpoint; poll() runs turns of a PolledEndpoint. The wall clock may be stepped, so its offset is read
// again before each poll().

#include <ringpost/beacon.hpp>

#include <utility>

#include "codec/beacon/endpoint.hpp"
#include "engine/faces/fresh_options.hpp"
#include "engine/faces/memory_budget.hpp"
#include "engine/faces/option_check.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost::beacon {
namespace {

constexpr std::size_t source_bytes = 60;  // an entry and its slots in the table of sources

}  // namespace

Result<Beacon> Beacon::open(const OpenOptions& options) {
    if (auto wrong = check_options(options)) return std::unexpected(std::move(*wrong));
    SocketOptions socket;
    socket.bind = options.bind;
    socket.broadcast = options.broadcast;
    Options protocol = fresh_options(options.protocol);
    protocol.unix_offset = unix_offset();
    auto polled = PolledEndpoint<Endpoint>::open(socket, options.engine, protocol);
    if (!polled) return std::unexpected(polled.error());
    (*polled)->memory_bytes =
        engine_budget((*polled)->backend) + limits::beacon_queue_bytes + source_bytes * limits::beacon_sources_max;
    return Beacon(std::move(*polled));
}

Beacon::Beacon(std::unique_ptr<PolledEndpoint<Endpoint>> polled) : polled_(std::move(polled)) {}
Beacon::Beacon(Beacon&&) noexcept = default;
Beacon& Beacon::operator=(Beacon&&) noexcept = default;
Beacon::~Beacon() = default;

bool Beacon::poll(Duration timeout, const Handler& handler) { return used(polled_).poll(timeout, handler); }
void Beacon::wake() const { present(polled_).wake(); }
bool Beacon::usable() const { return polled_ != nullptr && polled_->usable(); }
int Beacon::fd() { return used(polled_).fd(); }
Instant Beacon::next_deadline() const { return used(polled_).next_deadline(); }

bool Beacon::finished() const { return used(polled_).endpoint.finished(); }
Counters Beacon::counters() const { return used(polled_).endpoint.counters(); }
EngineCounters Beacon::engine_counters() const { return used(polled_).counters(); }
const Address& Beacon::local() const { return present(polled_).local; }
const char* Beacon::backend() const { return present(polled_).backend; }
std::size_t Beacon::memory_bytes() const { return present(polled_).memory_bytes; }
const std::string& Beacon::note() const { return present(polled_).note; }

}  // namespace ringpost::beacon
