// The endpoint of the caller is known for the duration of one poll() only. Driven stands in for it between the loop and
// the caller: it has no events of its own, and remembers whether a train was received.

#include <ringpost/engine.hpp>

#include <utility>
#include <vector>

#include "codec/base/check.hpp"
#include "engine/faces/memory_budget.hpp"
#include "engine/faces/option_check.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost {

class Engine::Driven {
  public:
    struct Event {};

    /// Which sockets are open, by index. Ends the process for the index of another: going on would use freed memory.
    class OpenSockets {
      public:
        void add(SocketIndex socket) {
            if (socket >= open_.size()) open_.resize(socket + 1);
            open_[socket] = true;
        }
        void remove(SocketIndex socket) { open_[checked(socket)] = false; }
        SocketIndex checked(SocketIndex socket) const {
            if (socket >= open_.size() || !open_[socket]) [[unlikely]]
                detail::check_failed("the index is not of an open socket", "ringpost", 0);
            return socket;
        }

      private:
        std::vector<bool> open_;
    };

    void begin(AnyEndpoint& endpoint) { endpoint_ = &endpoint; }
    void end() {
        deadline_ = endpoint_->poll_timeout();
        endpoint_ = nullptr;
    }

    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) {
        happened_ = true;
        endpoint_->handle_train(now, train, segment_bytes);
    }
    void handle(Instant now, const Datagram& in) { handle_train(now, in, in.bytes.size()); }
    void handle_timeout(Instant now) { endpoint_->handle_timeout(now); }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        const auto transmit = endpoint_->poll_transmit(now, out);
        if (transmit) {
            sockets.checked(transmit->socket);
            RINGPOST_CHECK(transmit->bytes <= out.size());
        }
        return transmit;
    }
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return endpoint_ != nullptr ? endpoint_->poll_timeout() : deadline_; }

    /// Whether a train was received since the last call.
    bool take_happened() { return std::exchange(happened_, false); }

    OpenSockets sockets;

  private:
    AnyEndpoint* endpoint_ = nullptr;
    std::optional<Instant> deadline_;  ///< at the end of the last poll()
    bool happened_ = false;
};

namespace {

template <class Polled>
UdpSocket& socket_at(Polled& polled, SocketIndex socket) {
    return polled.socket(polled.endpoint.sockets.checked(socket));
}

}  // namespace

Result<Engine> Engine::open(const EngineOptions& options) {
    if (auto wrong = check_options(options)) return std::unexpected(std::move(*wrong));
    auto polled = PolledEndpoint<Driven>::open(options, [] { return Driven(); });
    if (!polled) return std::unexpected(polled.error());
    (*polled)->memory_bytes = engine_budget((*polled)->backend);
    return Engine(std::move(*polled));
}

Engine::Engine(std::unique_ptr<PolledEndpoint<Driven>> polled) : polled_(std::move(polled)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<SocketIndex> Engine::open_socket(const SocketOptions& options) {
    auto& polled = used(polled_);
    if (auto wrong = check_options(options)) return std::unexpected(std::move(*wrong));
    auto socket = UdpSocket::open(options);
    if (!socket) return std::unexpected(socket.error());
    const SocketIndex index = polled.add(std::move(*socket));
    polled.endpoint.sockets.add(index);
    return index;
}
void Engine::close_socket(SocketIndex socket) {
    auto& polled = used(polled_);
    polled.endpoint.sockets.remove(socket);
    polled.remove(socket);
}
const Address& Engine::local(SocketIndex socket) const { return socket_at(used(polled_), socket).local(); }
Result<void> Engine::join(SocketIndex socket, const Address& group, const std::string& interface) {
    return socket_at(used(polled_), socket).join(group, interface);
}
Result<void> Engine::leave(SocketIndex socket, const Address& group, const std::string& interface) {
    return socket_at(used(polled_), socket).leave(group, interface);
}

bool Engine::poll(Duration timeout, AnyEndpoint& endpoint) {
    used(polled_).endpoint.begin(endpoint);
    const bool received = used(polled_).poll(timeout, [](const Driven::Event&) {});
    used(polled_).endpoint.end();
    return received;
}
void Engine::wake() const { present(polled_).wake(); }
bool Engine::usable() const { return polled_ != nullptr && polled_->usable(); }
int Engine::fd() { return used(polled_).fd(); }
Instant Engine::next_deadline() const { return used(polled_).next_deadline(); }

EngineCounters Engine::counters() const { return used(polled_).counters(); }
const char* Engine::backend() const { return present(polled_).backend; }
std::size_t Engine::memory_bytes() const { return present(polled_).memory_bytes; }
const std::string& Engine::note() const { return present(polled_).note; }

}  // namespace ringpost
