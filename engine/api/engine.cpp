// open() binds the socket, then starts the thread and waits until that has opened its backend (an io_uring belongs to
// the thread that made it) or says why not. The thread turns its loop until stop(), then closes everything and ends.

#include "engine/api/engine.hpp"

#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): pthread_sigmask is in here only

#include <mutex>
#include <utility>

#include "engine/api/messenger.hpp"
#include "engine/api/shared.hpp"
#include "engine/api/worker.hpp"

namespace ringpost::gtudp {
namespace {

Instant deadline_of(Duration timeout) {
    const Instant at = now();
    return timeout < never - at ? at + timeout : never;
}

/// A Worker as the Application that ends its loop.
template <class AnyLoop>
struct WorkerTurns {
    AnyLoop& loop;
    Worker& worker;
    Shared& shared;

    void on_event(Instant, const Worker::Event&) {}
    Instant on_turn(Instant at) {
        const Instant next = worker.on_turn(at);
        if (shared.tally_wanted()) shared.tell_tally({worker.counts(), loop.backend().counters()});
        if (worker.stopped()) loop.stop();
        return next;
    }
    bool on_sleep() { return worker.on_sleep(); }
};

}  // namespace

class Engine::Thread {
  public:
    Thread(const OpenOptions& options, UdpSocket bound)
        : shared(options), local(bound.local()), options_(options), socket_(std::move(bound)) {}
    ~Thread() { stop(); }
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

    std::optional<Error> start();
    void stop();

    Shared shared;
    const Address local;
    const char* backend = "";
    std::string note;

  private:
    static void* run(void* self);
    std::optional<Error> serve();
    template <class AnyLoop>
    std::optional<Error> serve_on(AnyLoop& loop);
    void tell_opened(std::optional<Error> failure);

    OpenOptions options_;
    UdpSocket socket_;              // until the backend has it
    std::optional<Error> failure_;  // to open
    std::mutex joining_;            // of users who stop it at once
    pthread_t thread_{};
    std::atomic<std::uint32_t> opened_{0};
    bool running_ = false;
};

// ---- the face -------------------------------------------------------------------------------------

Result<Engine> Engine::open(const OpenOptions& options) {
    SocketOptions wanted;
    wanted.bind = options.bind;
    wanted.gro = options.gro;
    auto socket = UdpSocket::open(wanted);
    if (!socket) return std::unexpected(socket.error());
    auto thread = std::make_unique<Thread>(options, std::move(*socket));
    if (auto failure = thread->start()) return std::unexpected(std::move(*failure));
    return Engine(std::move(thread));
}

Engine::Engine(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

std::expected<Ticket, SendRefusal> Engine::send(const Address& peer, std::span<const std::byte> bytes,
                                                Instant deadline) {
    return thread_->shared.submit(peer, bytes, deadline, false);
}

bool Engine::cancel(Ticket ticket) { return thread_->shared.cancel(ticket); }

std::optional<Ended> Engine::next_outcome(Duration timeout) {
    return thread_->shared.next_outcome(deadline_of(timeout));
}

SendResult Engine::send_and_wait(const Address& peer, std::span<const std::byte> bytes, Duration timeout) {
    const auto ticket = thread_->shared.submit(peer, bytes, deadline_of(timeout), true);
    if (!ticket) return std::unexpected(ticket.error());
    return thread_->shared.wait_for(*ticket);
}

std::optional<Message> Engine::receive(Duration timeout) { return thread_->shared.receive(deadline_of(timeout)); }

void Engine::stop() { thread_->stop(); }

Counts Engine::counts() const { return thread_->shared.tally().counts; }
Counters Engine::counters() const { return thread_->shared.tally().counters; }
const Address& Engine::local() const { return thread_->local; }
const char* Engine::backend() const { return thread_->backend; }
const std::string& Engine::note() const { return thread_->note; }

// ---- the thread's life ----------------------------------------------------------------------------

std::optional<Error> Engine::Thread::start() {
    // Signals are for the program's own threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&thread_, nullptr, run, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) return Error::system("start the engine's thread", error);
    running_ = true;
    while (opened_.load(std::memory_order_acquire) == 0) futex_wait(opened_, 0, never);
    return failure_;
}

void Engine::Thread::stop() {
    shared.stop();
    const std::lock_guard lock(joining_);
    if (!running_) return;
    pthread_join(thread_, nullptr);
    running_ = false;
}

void Engine::Thread::tell_opened(std::optional<Error> failure) {
    failure_ = std::move(failure);
    opened_.store(1, std::memory_order_release);
    futex_wake(opened_, everybody);
}

void* Engine::Thread::run(void* self) {
    auto& thread = *static_cast<Thread*>(self);
    if (auto failure = thread.serve()) thread.tell_opened(std::move(failure));
    return nullptr;
}

std::optional<Error> Engine::Thread::serve() {
    const auto done = with_loop(
        {.backend = options_.backend, .wait = options_.wait, .gso = options_.gso},
        [this](const std::string& text) { note = text; }, [this](auto& loop) { return serve_on(loop); });
    return done ? *done : std::optional(done.error());
}

template <class AnyLoop>
std::optional<Error> Engine::Thread::serve_on(AnyLoop& loop) {
    if (auto failure = shared.wake_by(loop.backend().waker())) return failure;
    loop.backend().add(std::move(socket_));
    backend = loop.backend().name;
    Options protocol = options_.protocol;
    protocol.start = now();
    Worker worker(shared, protocol);
    tell_opened(std::nullopt);
    WorkerTurns<AnyLoop> turns{loop, worker, shared};
    loop.run(worker, turns);
    worker.finish(loop.backend().counters());
    return std::nullopt;
}

}  // namespace ringpost::gtudp
