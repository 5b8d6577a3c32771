// The binding of MessengerCore to Threaded. A send takes a slot, copies the payload and submits a command; every other
// call pops from a queue of the core or runs on the engine's thread.

#include <ringpost/gtudp.hpp>
#include <utility>

#include "engine/faces/gtudp_open.hpp"
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
    Threaded<MessengerCore> engine;
};

Result<ThreadedMessenger> ThreadedMessenger::open(const OpenOptions& options) {
    const auto opening = opening_of(options);
    if (!opening) return std::unexpected(opening.error());
    auto socket = UdpSocket::open(opening->socket);
    if (!socket) return std::unexpected(socket.error());
    auto thread = std::make_unique<Thread>(options, opening->protocol, std::move(*socket));
    if (auto failure = thread->engine.start(options.engine)) return std::unexpected(std::move(*failure));
    return ThreadedMessenger(std::move(thread));
}

ThreadedMessenger::ThreadedMessenger(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
ThreadedMessenger::ThreadedMessenger(ThreadedMessenger&&) noexcept = default;
ThreadedMessenger& ThreadedMessenger::operator=(ThreadedMessenger&&) noexcept = default;
ThreadedMessenger::~ThreadedMessenger() = default;

std::expected<Ticket, SendRefusal> ThreadedMessenger::send(const Address& peer, std::span<const std::byte> bytes,
                                                           Instant deadline) {
    return thread_->send(peer, bytes, deadline, MessengerCore::OutcomeTo::queue);
}

bool ThreadedMessenger::cancel(Ticket ticket) {
    if (thread_->engine.stopping()) return true;  // stop() cancels every send
    return thread_->engine.submit({.kind = MessengerCore::Command::Kind::cancel, .ticket = ticket});
}

std::optional<Ended> ThreadedMessenger::next_outcome(Duration timeout) {
    return thread_->engine.protocol.next_outcome(deadline_after(timeout));
}

SendResult ThreadedMessenger::send_and_wait(const Address& peer, std::span<const std::byte> bytes, Duration timeout) {
    const auto ticket = thread_->send(peer, bytes, deadline_after(timeout), MessengerCore::OutcomeTo::waiting_caller);
    if (!ticket) return std::unexpected(ticket.error());
    return thread_->engine.protocol.wait_for(*ticket);
}

std::optional<Message> ThreadedMessenger::receive(Duration timeout) {
    return thread_->engine.protocol.receive(deadline_after(timeout));
}

void ThreadedMessenger::stop() { thread_->engine.stop(); }

Counters ThreadedMessenger::counters() const {
    Counters out;
    thread_->engine.call_or_run([&](Instant) { out = thread_->engine.protocol.counters(); });
    return out;
}

EngineCounters ThreadedMessenger::engine_counters() const {
    EngineCounters out;
    thread_->engine.call_or_run([&](Instant) { out = thread_->engine.engine_counters(); });
    return out;
}

const Address& ThreadedMessenger::local() const { return thread_->local; }
const char* ThreadedMessenger::backend() const { return thread_->engine.backend; }
const std::string& ThreadedMessenger::note() const { return thread_->engine.note; }

}  // namespace ringpost::gtudp
