#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ringpost/devices.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "codec/devices/endpoint.hpp"
#include "engine/faces/node_links.hpp"
#include "engine/faces/node_questions.hpp"
#include "engine/os/clock.hpp"
#include "engine/tcp/stream_socket.hpp"
#include "engine/threaded/done.hpp"
#include "engine/threaded/event_queue.hpp"
#include "engine/threaded/ready.hpp"

namespace ringpost::devices {

/// The ThreadedProtocol of a Node: a devices::Endpoint, its sockets on the host's links, and queues of notices and
/// questions for the user threads. User requests are calls (Threaded::call), so there are no commands.
class NodeCore {
  public:
    using Endpoint = devices::Endpoint;
    struct Command {};

    NodeCore(const NodeOptions& options, NodeLinks links, std::optional<StreamListener> listener);
    ~NodeCore();

    // ---- any thread -----------------------------------------------------------------------------

    std::optional<Notice> receive(Instant deadline);
    std::optional<Notice> next_question(Instant deadline) { return pop(questions_, deadline); }
    /// Readable while receive() or next_question() may return something.
    int fd() { return ready_.fd(); }
    /// The notice queue was full: wake the engine after receive().
    bool room_wanted() const { return notices_.room_wanted(); }
    void abandon(const Command&) {}

    // ---- the engine's thread --------------------------------------------------------------------

    template <class Backend>
    std::optional<Error> open(Backend& backend) {
        if (listener_)
            if (auto listening = backend.listen(std::move(*listener_)); !listening) return listening.error();
        if (auto watched = backend.watch(links_.watched_fd()); !watched) return watched.error();
        add_socket_ = [&backend](UdpSocket socket) { return backend.add(std::move(socket)); };
        remove_socket_ = [&backend](SocketIndex socket) { backend.remove(socket); };
        socket_at_ = [&backend](SocketIndex socket) { return &backend.socket(socket); };
        return open_endpoint();
    }
    Endpoint& endpoint() { return *endpoint_; }
    bool has_room() { return notices_.has_room(has_room_for_bytes()); }
    void on_event(Instant now, const Event& event);
    void run(Instant, const Command&) {}
    Instant on_turn(Instant now);
    void publish();
    bool may_sleep() const { return !(notices_.has_wanted_room() && has_room_for_bytes()); }
    void close(Instant now) { endpoint_->close(now); }
    /// Every peer has received the goodbye, or the time for it is over.
    bool finished() const { return endpoint_->finished(); }
    void end();

    /// A pending ask, owned by the waiting thread. Must remain valid until `done` is notified or forget() returns.
    struct Asker {
        std::vector<Answer> answers;
        bool stopped = false;  ///< the node ended first
        Done done;
    };
    void expect(AskId ask, Asker& asker) { askers_[ask.index] = &asker; }
    void forget(const Asker& asker);

    Sent answer(Instant now, QuestionId question, std::string_view text);
    void drop(QuestionId question);

    /// Without NodeCounters::engine.
    NodeCounters counters() const;

  private:
    /// Queued notices are heap-allocated and owned by the queue.
    using Queue = EventQueue<Notice*>;

    std::optional<Notice> pop(Queue& queue, Instant deadline);
    bool has_room_for_bytes() const {
        return notice_bytes_.load(std::memory_order_relaxed) < limits::devices_notices_bytes;
    }
    void hand_out_questions();
    void on_question(std::unique_ptr<Notice> notice);
    std::optional<Error> open_endpoint();
    void update_links(Instant now);
    void rejoin();

    Ready ready_;
    Queue notices_, questions_;
    Options protocol_;
    std::atomic<std::size_t> notice_bytes_{0};  ///< text in notices_
    NodeQuestions waiting_questions_;
    NodeOptions options_;
    NodeLinks links_;
    std::optional<StreamListener> listener_;  ///< moved to the backend by open()
    std::optional<Endpoint> endpoint_;

    // Calls of the backend, whose type is known only in open().
    std::function<SocketIndex(UdpSocket)> add_socket_;
    std::function<void(SocketIndex)> remove_socket_;
    std::function<UdpSocket*(SocketIndex)> socket_at_;

    std::unordered_map<std::uint32_t, Asker*> askers_;  ///< by AskId::index
    std::uint64_t questions_dropped_ = 0;
    Instant check_links_at_ = 0, check_questions_at_ = 0;
    bool rejoin_wanted_ = false;
};

}  // namespace ringpost::devices
