// open() looks at the options and binds the listener, then starts the thread, which opens its backend and a socket for
// each link, and turns its loop until stop(). Every other call is a job that the thread runs for its user (NodeShared).

#include <ringpost/node.hpp>

#include <fmt/core.h>
#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "codec/base/check.hpp"
#include "codec/devices/advert.hpp"
#include "engine/faces/node_links.hpp"
#include "engine/loop/open.hpp"
#include "engine/os/clock.hpp"
#include "engine/tcp/stream_socket.hpp"
#include "engine/threaded/loop_thread.hpp"
#include "engine/threaded/node_shared.hpp"
#include "engine/threaded/node_worker.hpp"

namespace ringpost::devices {
namespace {

/// A question's deadline is the endpoint's to keep; this much later its asker no longer waits for being told.
constexpr Duration told_within = 100 * millisecond;
/// How often the links are looked at, at most, while the loop is busy.
constexpr Duration links_look_every = millisecond;

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

/// A NodeWorker as the Application that ends its loop, and keeps its sockets those of the links there are.
template <class AnyLoop>
class NodeTurns {
  public:
    NodeTurns(AnyLoop& loop, NodeWorker& worker, NodeLinks& links) : loop_(loop), worker_(worker), links_(links) {
        worker_.count_engine_by([this](NodeCounters& counts) {
            counts.engine = loop_.backend().counters();
            counts.links_failed = links_.failed();
            if (links_.error()) counts.link_error = links_.error()->text;
        });
        update_links(now());
    }

    void on_event(Instant, const NodeWorker::Event&) {}
    Instant on_turn(Instant at) {
        const Instant next = worker_.on_turn(at);
        if (worker_.stopped()) loop_.stop();
        if (worker_.take_rejoin()) rejoin();
        if (at >= look_at_) {
            look_at_ = at + links_look_every;
            if (links_.changed(at)) update_links(at);
        }
        return std::min(next, links_.retry_at());
    }
    bool on_sleep() { return worker_.on_sleep(); }

  private:
    void update_links(Instant at) {
        NodeLinks::Plan plan = links_.plan(at);
        for (const NodeLinks::Member& member : plan.closed) {
            worker_.endpoint().remove_interface(member.socket);
            loop_.backend().remove(member.socket);
        }
        for (NodeLinks::Opened& opened : plan.opened) {
            opened.member.socket = loop_.backend().add(std::move(opened.socket));
            if (opened.member.socket >= limits::devices_interfaces_max) {
                // The places of those just closed are not free yet.
                loop_.backend().remove(opened.member.socket);
                links_.retry_later(at);
                continue;
            }
            worker_.endpoint().add_interface(at, opened.member.socket, opened.member.own);
            links_.add(opened.member);
        }
    }

    /// What a switch has forgotten it learns again from a leave and a join.
    void rejoin() {
        for (const NodeLinks::Member& member : links_.members()) {
            if (member.link.empty()) continue;
            const Options& protocol = links_.protocol();
            const Address& group = member.own.family == Family::v4 ? protocol.group : *protocol.group_v6;
            UdpSocket& socket = loop_.backend().socket(member.socket);
            // One that fails is a link that has just gone: rtnetlink tells, too.
            if (!socket.leave(group, member.link)) continue;
            [[maybe_unused]] const auto joined = socket.join(group, member.link);
        }
    }

    AnyLoop& loop_;
    NodeWorker& worker_;
    NodeLinks& links_;
    Instant look_at_ = 0;
};

}  // namespace

Options fresh_options(std::string name) {
    struct Random {
        SipKey key;
        std::uint64_t seed;
    } random;
    // So few bytes come whole or not at all, and only a kernel without the call gives none.
    RINGPOST_CHECK(getrandom(&random, sizeof random, 0) == static_cast<ssize_t>(sizeof random));
    Options options;
    options.name = std::move(name);
    options.key = random.key;
    options.seed = random.seed;
    return options;
}

class Node::Thread {
  public:
    Thread(const NodeOptions& options, NodeLinks links, std::optional<StreamListener> listener)
        : shared(options), options_(options), links_(std::move(links)), listener_(std::move(listener)) {}
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

    NodeShared shared;
    NodeCounters final_counts;  // once the thread has ended
    const char* backend = "";
    std::string note;

  private:
    std::optional<Error> serve(const std::function<void()>& opened) {
        const auto done = with_loop(
            options_.engine, [this](const std::string& text) { note = text; },
            [&](auto& loop) { return serve_on(loop, opened); });
        return done ? *done : std::optional(done.error());
    }

    template <class AnyLoop>
    std::optional<Error> serve_on(AnyLoop& loop, const std::function<void()>& opened) {
        if (auto failure = shared.wake_by(loop.backend().waker())) return failure;
        if (listener_)
            if (auto listening = loop.backend().listen(std::move(*listener_)); !listening) return listening.error();
        if (auto watched = loop.backend().watch(links_.watched_fd()); !watched) return watched.error();
        backend = loop.backend().name;
        Options protocol = options_.protocol;
        protocol.start = now();
        NodeWorker worker(shared, protocol);
        NodeTurns<AnyLoop> turns(loop, worker, links_);
        if (links_.members().empty() && links_.error()) return links_.error();  // it would be deaf
        opened();
        loop.run(worker, turns);
        final_counts = worker.counters();
        worker.finish();
        return std::nullopt;
    }

    NodeOptions options_;
    NodeLinks links_;
    std::optional<StreamListener> listener_;  // until the backend has it
    LoopThread thread_;
};

// ---- the face -------------------------------------------------------------------------------------

Result<Node> Node::open(const NodeOptions& options) {
    if (auto wrong = check(options)) return std::unexpected(std::move(*wrong));
    RINGPOST_CHECK(std::has_single_bit(options.notices_max) && std::has_single_bit(options.questions_max));
    auto links = NodeLinks::open(options);
    if (!links) return std::unexpected(links.error());
    std::optional<StreamListener> listener;
    if (options.listen) {
        auto opened = StreamListener::open(any_address(options.protocol.tcp_port));
        if (!opened) return std::unexpected(opened.error());
        listener.emplace(std::move(*opened));
    }
    auto thread = std::make_unique<Thread>(options, std::move(*links), std::move(listener));
    if (auto failure = thread->start()) return std::unexpected(std::move(*failure));
    return Node(std::move(thread));
}

Node::Node(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

Sent Node::send(std::string_view name, std::string_view text) {
    Sent sent = Sent::not_connected;
    thread_->shared.call([&](NodeWorker& worker, Instant at) { sent = worker.endpoint().send(at, name, text); });
    return sent;
}

std::vector<std::pair<std::string, Sent>> Node::send_all(std::string_view text) {
    std::vector<std::pair<std::string, Sent>> out;
    thread_->shared.call([&](NodeWorker& worker, Instant at) {
        const std::vector<Sent> sent = worker.endpoint().send_all(at, text);
        std::vector<Peer> peers = worker.endpoint().peers();
        for (std::size_t i = 0; i < peers.size(); ++i) out.emplace_back(std::move(peers[i].name), sent[i]);
    });
    return out;
}

namespace {

/// begin(Endpoint&, Instant) asks; then waits for the answers. `names` stand in for them when they do not come.
template <class Begin>
std::expected<std::vector<Answer>, AskRefusal> ask_and_wait(NodeShared& shared, Instant deadline,
                                                            std::span<const std::string> names, Begin&& begin) {
    NodeWorker::Asker asker;
    std::expected<AskId, AskRefusal> asked = std::unexpected(AskRefusal::full);
    const bool running = shared.call([&](NodeWorker& worker, Instant at) {
        asked = begin(worker.endpoint(), at);
        if (asked) worker.expect(*asked, asker);
    });
    if (running && !asked) return std::unexpected(asked.error());
    if (running && !asker.done.wait(deadline == never ? never : deadline + told_within))
        shared.call([&](NodeWorker& worker, Instant) { worker.forget(asker); });
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
    return ask_and_wait(thread_->shared, deadline, names,
                        [&](Endpoint& endpoint, Instant at) { return endpoint.ask(at, views, text, deadline); });
}

std::expected<std::vector<Answer>, AskRefusal> Node::ask_all(std::string_view text, Duration timeout) {
    const Instant deadline = deadline_after(timeout);
    return ask_and_wait(thread_->shared, deadline, {},
                        [&](Endpoint& endpoint, Instant at) { return endpoint.ask_all(at, text, deadline); });
}

std::vector<Peer> Node::peers() {
    std::vector<Peer> out;
    thread_->shared.call([&](NodeWorker& worker, Instant) { out = worker.endpoint().peers(); });
    std::sort(out.begin(), out.end(), [](const Peer& a, const Peer& b) { return a.name < b.name; });
    return out;
}

std::optional<Notice> Node::receive(Duration timeout) { return thread_->shared.receive(deadline_after(timeout)); }

std::optional<Notice> Node::next_question(Duration timeout) {
    return thread_->shared.next_question(deadline_after(timeout));
}

Sent Node::answer(QuestionId question, std::string_view text) {
    Sent sent = Sent::not_connected;
    thread_->shared.call([&](NodeWorker& worker, Instant at) { sent = worker.endpoint().answer(at, question, text); });
    return sent;
}

void Node::stop() { thread_->stop(); }

NodeCounters Node::counters() {
    NodeCounters out;
    if (thread_->shared.call([&](NodeWorker& worker, Instant) { out = worker.counters(); })) return out;
    thread_->stop();
    return thread_->final_counts;
}

const char* Node::backend() const { return thread_->backend; }
const std::string& Node::note() const { return thread_->note; }

}  // namespace ringpost::devices
