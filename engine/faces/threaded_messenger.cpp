// open() binds the socket, then starts the thread and waits until that has opened its backend or says why not. The
// thread turns its loop until stop(), then closes everything and ends.

#include <ringpost/threaded_messenger.hpp>

#include <utility>

#include "engine/loop/open.hpp"
#include "engine/threaded/gtudp_shared.hpp"
#include "engine/threaded/gtudp_worker.hpp"
#include "engine/threaded/loop_thread.hpp"

namespace ringpost::gtudp {
namespace {

/// A Worker as the Application that ends its loop.
template <class AnyLoop>
struct WorkerTurns {
    AnyLoop& loop;
    Worker& worker;
    Shared& shared;

    void on_event(Instant, const Worker::Event&) {}
    Instant on_turn(Instant at) {
        const Instant next = worker.on_turn(at);
        if (shared.tally_wanted()) shared.tell_tally({worker.counters(), loop.backend().counters()});
        if (worker.stopped()) loop.stop();
        return next;
    }
    bool on_sleep() { return worker.on_sleep(); }
};

}  // namespace

class ThreadedMessenger::Thread {
  public:
    Thread(const OpenOptions& options, UdpSocket bound)
        : shared(options), local(bound.local()), options_(options), socket_(std::move(bound)) {}
    ~Thread() { stop(); }
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

    std::optional<Error> start() {
        return thread_.start([this](const std::function<void()>& opened) { return serve(opened); });
    }
    void stop() {
        shared.stop();
        thread_.join();
    }

    Shared shared;
    const Address local;
    const char* backend = "";
    std::string note;

  private:
    std::optional<Error> serve(const std::function<void()>& opened);
    template <class AnyLoop>
    std::optional<Error> serve_on(AnyLoop& loop, const std::function<void()>& opened);

    OpenOptions options_;
    UdpSocket socket_;  // until the backend has it
    LoopThread thread_;
};

// ---- the face -------------------------------------------------------------------------------------

Result<ThreadedMessenger> ThreadedMessenger::open(const OpenOptions& options) {
    SocketOptions wanted;
    wanted.bind = options.bind;
    wanted.gro = options.gro;
    auto socket = UdpSocket::open(wanted);
    if (!socket) return std::unexpected(socket.error());
    auto thread = std::make_unique<Thread>(options, std::move(*socket));
    if (auto failure = thread->start()) return std::unexpected(std::move(*failure));
    return ThreadedMessenger(std::move(thread));
}

ThreadedMessenger::ThreadedMessenger(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
ThreadedMessenger::ThreadedMessenger(ThreadedMessenger&&) noexcept = default;
ThreadedMessenger& ThreadedMessenger::operator=(ThreadedMessenger&&) noexcept = default;
ThreadedMessenger::~ThreadedMessenger() = default;

std::expected<Ticket, SendRefusal> ThreadedMessenger::send(const Address& peer, std::span<const std::byte> bytes,
                                                           Instant deadline) {
    return thread_->shared.submit(peer, bytes, deadline, false);
}

bool ThreadedMessenger::cancel(Ticket ticket) { return thread_->shared.cancel(ticket); }

std::optional<Ended> ThreadedMessenger::next_outcome(Duration timeout) {
    return thread_->shared.next_outcome(deadline_after(timeout));
}

SendResult ThreadedMessenger::send_and_wait(const Address& peer, std::span<const std::byte> bytes, Duration timeout) {
    const auto ticket = thread_->shared.submit(peer, bytes, deadline_after(timeout), true);
    if (!ticket) return std::unexpected(ticket.error());
    return thread_->shared.wait_for(*ticket);
}

std::optional<Message> ThreadedMessenger::receive(Duration timeout) {
    return thread_->shared.receive(deadline_after(timeout));
}

void ThreadedMessenger::stop() { thread_->stop(); }

Counters ThreadedMessenger::counters() const { return thread_->shared.tally().counts; }
EngineCounters ThreadedMessenger::engine_counters() const { return thread_->shared.tally().counters; }
const Address& ThreadedMessenger::local() const { return thread_->local; }
const char* ThreadedMessenger::backend() const { return thread_->backend; }
const std::string& ThreadedMessenger::note() const { return thread_->note; }

// ---- the thread's life ----------------------------------------------------------------------------

std::optional<Error> ThreadedMessenger::Thread::serve(const std::function<void()>& opened) {
    const auto done = with_loop(
        {.backend = options_.backend, .wait = options_.wait, .gso = options_.gso},
        [this](const std::string& text) { note = text; }, [&](auto& loop) { return serve_on(loop, opened); });
    return done ? *done : std::optional(done.error());
}

template <class AnyLoop>
std::optional<Error> ThreadedMessenger::Thread::serve_on(AnyLoop& loop, const std::function<void()>& opened) {
    if (auto failure = shared.wake_by(loop.backend().waker())) return failure;
    loop.backend().add(std::move(socket_));
    backend = loop.backend().name;
    Options protocol = options_.protocol;
    protocol.start = now();
    Worker worker(shared, protocol);
    opened();
    WorkerTurns<AnyLoop> turns{loop, worker, shared};
    loop.run(worker, turns);
    worker.finish(loop.backend().counters());
    return std::nullopt;
}

}  // namespace ringpost::gtudp
