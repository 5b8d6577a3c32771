// open() checks the options and binds the listener, then starts the thread, which opens its backend and a socket for
// each link, and runs its loop until stop(). receive() and next_question() pop from queues; every other call runs on
// the thread (Threaded::call).

#include <ringpost/devices.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "codec/base/check.hpp"
#include "codec/devices/advert.hpp"
#include "engine/faces/node_core.hpp"
#include "engine/faces/node_links.hpp"
#include "engine/loop/open.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/resources.hpp"
#include "engine/tcp/stream_socket.hpp"
#include "engine/threaded/threaded.hpp"

namespace ringpost::devices {
namespace {

/// The endpoint ends an ask at its deadline; the caller waits this much longer for the result.
constexpr Duration answers_within = 100 * millisecond;

const char* what(NameError error) {
    switch (error) {
        case NameError::empty: return "it is empty";
        case NameError::too_long: return "it is too long";
        case NameError::not_utf8: return "it is not UTF-8";
        case NameError::has_mark: return "it contains `:,:` or `/EOL`";
        case NameError::reserved: return "it is a frame of the format";
    }
    return "";
}

std::optional<Error> check(const NodeOptions& options) {
    if (const auto error = check_name(options.protocol.name))
        return Error{EINVAL, fmt::format("name {}: {}", options.protocol.name, what(*error))};
    if (options.protocol.seeds.size() > limits::devices_seeds_max)
        return Error{EINVAL,
                     fmt::format("seed {}: at most {}", options.protocol.seeds.size(), limits::devices_seeds_max)};
    return std::nullopt;
}

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
};

// ---- Node -----------------------------------------------------------------------------------------

Result<Node> Node::open(const NodeOptions& options) {
    if (auto wrong = check(options)) return std::unexpected(std::move(*wrong));
    RINGPOST_CHECK(std::has_single_bit(options.notices_max) && std::has_single_bit(options.questions_max));
    RINGPOST_CHECK(options.questions_at_once > 0);
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
    return Node(std::move(thread));
}

Node::Node(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

Sent Node::send(std::string_view name, std::string_view text) {
    Sent sent = Sent::not_connected;
    thread_->call([&](Instant at) { sent = thread_->endpoint().send(at, name, text); });
    return sent;
}

std::vector<std::pair<std::string, Sent>> Node::send_all(std::string_view text) {
    std::vector<std::pair<std::string, Sent>> out;
    thread_->call([&](Instant at) {
        const std::vector<Sent> sent = thread_->endpoint().send_all(at, text);
        std::vector<Peer> peers = thread_->endpoint().peers();
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
    return ask_and_wait(*thread_, deadline, names,
                        [&](Endpoint& endpoint, Instant at) { return endpoint.ask(at, views, text, deadline); });
}

std::expected<std::vector<Answer>, AskRefusal> Node::ask_all(std::string_view text, Duration timeout) {
    const Instant deadline = deadline_after(timeout);
    return ask_and_wait(*thread_, deadline, {},
                        [&](Endpoint& endpoint, Instant at) { return endpoint.ask_all(at, text, deadline); });
}

std::vector<Peer> Node::peers() {
    std::vector<Peer> out;
    thread_->call([&](Instant) { out = thread_->endpoint().peers(); });
    std::sort(out.begin(), out.end(), [](const Peer& a, const Peer& b) { return a.name < b.name; });
    return out;
}

std::optional<Notice> Node::receive(Duration timeout) {
    auto notice = thread_->protocol.receive(deadline_after(timeout));
    if (thread_->protocol.room_wanted()) thread_->wake();
    return notice;
}

std::optional<Notice> Node::next_question(Duration timeout) {
    return thread_->protocol.next_question(deadline_after(timeout));
}

Sent Node::answer(QuestionId question, std::string_view text) {
    Sent sent = Sent::not_connected;
    thread_->call([&](Instant at) { sent = thread_->protocol.answer(at, question, text); });
    return sent;
}

void Node::drop(QuestionId question) {
    thread_->call([&](Instant) { thread_->protocol.drop(question); });
}

void Node::stop() { thread_->stop(); }

NodeCounters Node::counters() {
    NodeCounters out;
    thread_->call_or_run([&](Instant) {
        out = thread_->protocol.counters();
        out.engine = thread_->engine_counters();
    });
    return out;
}

const char* Node::backend() const { return thread_->backend; }
const std::string& Node::note() const { return thread_->note; }

}  // namespace ringpost::devices
