// Forwards to the endpoint; poll() runs turns of a PolledEndpoint.

#include <ringpost/structs.hpp>

#include <utility>

#include "codec/structs/endpoint.hpp"
#include "engine/faces/memory_budget.hpp"
#include "engine/faces/option_check.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost::structs {

Result<Messenger> Messenger::open(const Library& library, const OpenOptions& options) {
    if (auto wrong = check_options(options)) return std::unexpected(std::move(*wrong));
    SocketOptions socket;
    socket.bind = options.bind;
    socket.allowed = options.allowed;
    socket.broadcast = options.broadcast;
    auto polled = PolledEndpoint<Endpoint>::open(
        socket, options.engine, [&](SocketIndex index) -> Endpoint { return Endpoint(library, index); });
    if (!polled) return std::unexpected(polled.error());
    (*polled)->memory_bytes = engine_budget((*polled)->backend) + 2 * limits::struct_queue_bytes + 65'536;
    return Messenger(std::move(*polled));
}

Messenger::Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled) : polled_(std::move(polled)) {}
Messenger::Messenger(Messenger&&) noexcept = default;
Messenger& Messenger::operator=(Messenger&&) noexcept = default;
Messenger::~Messenger() = default;

std::expected<void, Refusal> Messenger::send(const Address& to, const Packet& packet) {
    auto& polled = used(polled_);
    if (!may_be_peer(to, polled.local)) {
        ++polled.bad_peers;
        return std::unexpected(Refusal::bad_peer);
    }
    return polled.change().send(to, packet);
}

bool Messenger::poll(Duration timeout, const Handler& handler) { return used(polled_).poll(timeout, handler); }
void Messenger::wake() const { present(polled_).wake(); }
bool Messenger::usable() const { return polled_ != nullptr && polled_->usable(); }
int Messenger::fd() { return used(polled_).fd(); }
Instant Messenger::next_deadline() const { return used(polled_).next_deadline(); }

Counters Messenger::counters() const {
    Counters out = used(polled_).endpoint.counters();
    out.refused_bad_peer = polled_->bad_peers;
    return out;
}
EngineCounters Messenger::engine_counters() const { return used(polled_).counters(); }
const Address& Messenger::local() const { return present(polled_).local; }
const char* Messenger::backend() const { return present(polled_).backend; }
std::size_t Messenger::memory_bytes() const { return present(polled_).memory_bytes; }
const std::string& Messenger::note() const { return present(polled_).note; }

}  // namespace ringpost::structs
