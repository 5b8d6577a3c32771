// The binding of MessengerCore to Threaded. A send takes a slot, copies the payload and submits a command; every other
// call pops from a queue of the core or runs on the engine's thread.

#include <ringpost/gtudp.hpp>
#include <utility>

#include "codec/base/check.hpp"
#include "engine/faces/gtudp_open.hpp"
#include "engine/faces/memory_budget.hpp"
#include "engine/faces/messenger_core.hpp"
#include "engine/threaded/threaded.hpp"

namespace ringpost::gtudp {

class ThreadedMessenger::Thread {
  public:
    Thread(const OpenOptions& options, const Options& protocol, UdpSocket bound)
        : local(bound.local()), engine(MessengerCore::commands_max(options), options, protocol, std::move(bound)) {}

    std::expected<Ticket, SendRefusal> send(const Address& peer, std::span<const std::byte> bytes, Instant deadline,
                                            MessengerCore::OutcomeTo outcome_to) {
        if (engine.stopping()) return std::unexpected(SendRefusal::stopped);
        const auto ticket = engine.protocol.take_slot(peer, bytes, deadline, outcome_to);
        if (!ticket || engine.submit({.kind = MessengerCore::Command::Kind::send, .ticket = *ticket})) return ticket;
        engine.protocol.discard(*ticket);
        return std::unexpected(SendRefusal::queue_full);
    }

    const Address local;
    std::size_t memory_bytes = 0;
    Threaded<MessengerCore> engine;
};

Result<ThreadedMessenger> ThreadedMessenger::open(const OpenOptions& options) {
    const auto opening = opening_of(options);
    if (!opening) return std::unexpected(opening.error());
    auto socket = UdpSocket::open(opening->socket);
    if (!socket) return std::unexpected(socket.error());
    auto thread = std::make_unique<Thread>(options, opening->protocol, std::move(*socket));
    if (auto failure = thread->engine.start(options.engine)) return std::unexpected(std::move(*failure));
    thread->memory_bytes = engine_budget(thread->engine.backend) + endpoint_budget(thread->engine.protocol.options()) +
                           queues_budget(options);
    return ThreadedMessenger(std::move(thread));
}

ThreadedMessenger::ThreadedMessenger(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
ThreadedMessenger::ThreadedMessenger(ThreadedMessenger&&) noexcept = default;
ThreadedMessenger& ThreadedMessenger::operator=(ThreadedMessenger&&) noexcept = default;
ThreadedMessenger::~ThreadedMessenger() = default;

ThreadedMessenger::Thread& ThreadedMessenger::used() const {
    if (thread_ == nullptr) [[unlikely]]
        detail::check_failed("used after it was moved from", "ringpost", 0);
    if (thread_->engine.forked()) [[unlikely]]
        detail::check_failed("used after fork() in the child; only its parent may use this object", "ringpost", 0);
    return *thread_;
}

bool ThreadedMessenger::usable() const { return thread_ != nullptr && !thread_->engine.forked(); }

std::expected<Ticket, SendRefusal> ThreadedMessenger::send(const Address& peer, std::span<const std::byte> bytes,
                                                           Instant deadline) {
    return used().send(peer, bytes, deadline, MessengerCore::OutcomeTo::queue);
}

bool ThreadedMessenger::cancel(Ticket ticket) {
    if (used().engine.stopping()) return true;  // stop() cancels every send
    return used().engine.submit({.kind = MessengerCore::Command::Kind::cancel, .ticket = ticket});
}

std::optional<Ended> ThreadedMessenger::next_outcome(Duration timeout) {
    return used().engine.protocol.next_outcome(deadline_after(timeout));
}

SendResult ThreadedMessenger::send_and_wait(const Address& peer, std::span<const std::byte> bytes, Duration timeout) {
    const auto ticket = used().send(peer, bytes, deadline_after(timeout), MessengerCore::OutcomeTo::waiting_caller);
    if (!ticket) return std::unexpected(ticket.error());
    return used().engine.protocol.wait_for(*ticket);
}

std::optional<Message> ThreadedMessenger::receive(Duration timeout) {
    return used().engine.protocol.receive(deadline_after(timeout));
}

int ThreadedMessenger::fd() { return used().engine.protocol.fd(); }

void ThreadedMessenger::stop() { used().engine.stop(); }

Counters ThreadedMessenger::counters() const {
    Counters out;
    used().engine.call_or_run([&](Instant) { out = used().engine.protocol.counters(); });
    return out;
}

EngineCounters ThreadedMessenger::engine_counters() const {
    EngineCounters out;
    used().engine.call_or_run([&](Instant) { out = used().engine.engine_counters(); });
    return out;
}

const Address& ThreadedMessenger::local() const { return used().local; }
const char* ThreadedMessenger::backend() const { return used().engine.backend; }
std::size_t ThreadedMessenger::memory_bytes() const { return used().memory_bytes; }
const std::string& ThreadedMessenger::note() const { return used().engine.note; }

}  // namespace ringpost::gtudp
