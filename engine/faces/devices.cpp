// open() checks the options and binds the listener, then starts the thread, which opens its backend and a socket for
// each link, and runs its loop until stop(). receive() and next_question() pop from queues; every other call runs on
// the thread (Threaded::call).

#include <ringpost/devices.hpp>

#include <algorithm>
#include <utility>

#include "codec/base/check.hpp"
#include "engine/faces/memory_budget.hpp"
#include "engine/faces/node_core.hpp"
#include "engine/faces/node_links.hpp"
#include "engine/faces/option_check.hpp"
#include "engine/loop/open.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/resources.hpp"
#include "engine/tcp/stream_socket.hpp"
#include "engine/threaded/threaded.hpp"

namespace ringpost::devices {
namespace {

/// The endpoint ends an ask at its deadline; the caller waits this much longer for the result.
constexpr Duration answers_within = 100 * millisecond;

/// Connections that the limit on descriptors allows beside what is open and what a Node and its process need: a socket
/// for each link, the ring, pipes of commands.
std::uint32_t streams_allowed() {
    constexpr std::size_t own = 128;
    const std::size_t limit = descriptors_max(), open = descriptors_open();
    const std::size_t left = limit > open ? limit - open : 0;
    return static_cast<std::uint32_t>(std::clamp<std::size_t>(left - std::min(own, left / 2), 8, limits::streams_max));
}

}  // namespace

class Node::Thread : public Threaded<NodeCore> {
    static constexpr std::uint32_t calls_max = 1'024;  // concurrent calls; further callers wait for a queue entry

  public:
    Thread(const NodeOptions& options, NodeLinks links, std::optional<StreamListener> listener)
        : Threaded(calls_max, options, std::move(links), std::move(listener)) {}

    Endpoint& endpoint() { return protocol.endpoint(); }

    std::size_t memory_bytes = 0;  ///< without connections
    std::size_t connection_bytes = 0;
};

// ---- Node -----------------------------------------------------------------------------------------

Result<Node> Node::open(const NodeOptions& options) {
    if (auto wrong = check_options(options)) return std::unexpected(std::move(*wrong));
    auto links = NodeLinks::open(options);
    if (!links) return std::unexpected(links.error());
    NodeOptions allowed = options;
    allowed.protocol.streams_max = std::min(options.protocol.streams_max, streams_allowed());
    std::optional<StreamListener> listener;
    if (options.listen) {
        auto opened = StreamListener::open(any_address(options.protocol.tcp_port));
        if (!opened) return std::unexpected(opened.error());
        listener.emplace(std::move(*opened));
    }
    auto thread = std::make_unique<Thread>(allowed, std::move(*links), std::move(listener));
    if (auto failure = thread->start(options.engine)) return std::unexpected(std::move(*failure));
    thread->memory_bytes = engine_budget(thread->backend) + node_budget(allowed);
    thread->connection_bytes = connection_budget(allowed.protocol);
    return Node(std::move(thread));
}

Node::Node(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

Node::Thread& Node::used() const {
    if (thread_ == nullptr) [[unlikely]]
        detail::check_failed("used after it was moved from", "ringpost", 0);
    if (thread_->forked()) [[unlikely]]
        detail::check_failed("used after fork() in the child; only its parent may use this object", "ringpost", 0);
    return *thread_;
}

bool Node::usable() const { return thread_ != nullptr && !thread_->forked(); }

Sent Node::send(std::string_view name, std::string_view text) {
    Sent sent = Sent::not_connected;
    used().call([&](Instant at) { sent = used().endpoint().send(at, name, text); });
    return sent;
}

std::vector<std::pair<std::string, Sent>> Node::send_all(std::string_view text) {
    std::vector<std::pair<std::string, Sent>> out;
    used().call([&](Instant at) {
        const std::vector<Sent> sent = used().endpoint().send_all(at, text);
        std::vector<Peer> peers = used().endpoint().peers();
        for (std::size_t i = 0; i < peers.size(); ++i) out.emplace_back(std::move(peers[i].name), sent[i]);
    });
    return out;
}

namespace {

/// Calls begin(Endpoint&, Instant), which starts the ask, and waits for the answers. If none arrive, reports each of
/// `names` as timed out or not connected.
template <class Begin>
std::expected<std::vector<Answer>, AskRefusal> ask_and_wait(Threaded<NodeCore>& node, Instant deadline,
                                                            std::span<const std::string> names, Begin&& begin) {
    NodeCore::Asker asker;
    std::expected<AskId, AskRefusal> asked = std::unexpected(AskRefusal::full);
    const bool running = node.call([&](Instant at) {
        asked = begin(node.protocol.endpoint(), at);
        if (asked) node.protocol.expect(*asked, asker);
    });
    if (running && !asked) return std::unexpected(asked.error());
    if (running && !asker.done.wait(deadline == never ? never : deadline + answers_within))
        node.call_or_run([&](Instant) { node.protocol.forget(asker); });
    if (asker.answers.empty())
        for (const std::string& name : names)
            asker.answers.push_back({name, running && !asker.stopped ? Reply::timed_out : Reply::not_connected, ""});
    return std::move(asker.answers);
}

}  // namespace

std::expected<std::vector<Answer>, AskRefusal> Node::ask(std::span<const std::string> names, std::string_view text,
                                                         Duration timeout) {
    const std::vector<std::string_view> views(names.begin(), names.end());
    const Instant deadline = deadline_after(timeout);
    return ask_and_wait(used(), deadline, names,
                        [&](Endpoint& endpoint, Instant at) { return endpoint.ask(at, views, text, deadline); });
}

std::expected<std::vector<Answer>, AskRefusal> Node::ask_all(std::string_view text, Duration timeout) {
    const Instant deadline = deadline_after(timeout);
    return ask_and_wait(used(), deadline, {},
                        [&](Endpoint& endpoint, Instant at) { return endpoint.ask_all(at, text, deadline); });
}

std::vector<Peer> Node::peers() {
    std::vector<Peer> out;
    used().call([&](Instant) { out = used().endpoint().peers(); });
    std::sort(out.begin(), out.end(), [](const Peer& a, const Peer& b) { return a.name < b.name; });
    return out;
}

std::optional<Notice> Node::receive(Duration timeout) {
    auto notice = used().protocol.receive(deadline_after(timeout));
    if (used().protocol.room_wanted()) used().wake();
    return notice;
}

std::optional<Notice> Node::next_question(Duration timeout) {
    return used().protocol.next_question(deadline_after(timeout));
}

Sent Node::answer(QuestionId question, std::string_view text) {
    Sent sent = Sent::not_connected;
    used().call([&](Instant at) { sent = used().protocol.answer(at, question, text); });
    return sent;
}

void Node::drop(QuestionId question) {
    used().call([&](Instant) { used().protocol.drop(question); });
}

int Node::fd() { return used().protocol.fd(); }

void Node::stop() { used().stop(); }

NodeCounters Node::counters() {
    NodeCounters out;
    used().call_or_run([&](Instant) {
        out = used().protocol.counters();
        out.engine = used().engine_counters();
    });
    return out;
}

const char* Node::backend() const { return used().backend; }
const std::string& Node::note() const { return used().note; }
std::size_t Node::memory_bytes(std::uint32_t connections) const {
    return used().memory_bytes + connections * used().connection_bytes;
}

}  // namespace ringpost::devices
