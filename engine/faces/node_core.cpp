// Events are taken from the endpoint only while the notice queue has room. While events remain in the endpoint, it
// pauses reading from its peers. A consumer that makes room wakes the engine, and the next turn takes more.

#include "engine/faces/node_core.hpp"

#include <algorithm>
#include <utility>

#include "codec/base/check.hpp"
#include "codec/base/limits.hpp"
#include "engine/faces/fresh_options.hpp"

namespace ringpost::devices {
namespace {

/// Minimum interval between checks for link changes while the loop is busy.
constexpr Duration link_check_interval = millisecond;

/// Interval between checks for questions whose asker is gone, or that have expired.
constexpr Duration question_check_interval = second;

}  // namespace

NodeCore::NodeCore(const NodeOptions& options, NodeLinks links, std::optional<StreamListener> listener)
    : notices_(options.notices_max),
      questions_(options.questions_max),
      protocol_(fresh_options(options.protocol)),
      waiting_questions_(options.questions_max, std::min(options.questions_at_once, options.questions_max),
                         protocol_.key),
      options_(options),
      links_(std::move(links)),
      listener_(std::move(listener)) {}

NodeCore::~NodeCore() {
    notices_.close();
    questions_.close();
    while (receive(0)) {
    }
    while (next_question(0)) {
    }
}

std::optional<Notice> NodeCore::receive(Instant deadline) {
    auto notice = pop(notices_, deadline);
    if (notice) notice_bytes_.fetch_sub(notice->text.size(), std::memory_order_relaxed);
    return notice;
}

std::optional<Notice> NodeCore::pop(Queue& queue, Instant deadline) {
    const auto taken = queue.pop(deadline);
    if (!taken) ready_.clear_unless([this] { return notices_.ready() || questions_.ready(); });
    if (!taken) return std::nullopt;
    const std::unique_ptr<Notice> notice(*taken);
    return std::move(*notice);
}

std::optional<Error> NodeCore::open_endpoint() {
    protocol_.start = now();
    endpoint_.emplace(protocol_);
    update_links(protocol_.start);
    if (links_.members().empty() && links_.error()) return links_.error();  // no adverts could be received
    return std::nullopt;
}

// ---- events ---------------------------------------------------------------------------------------

void NodeCore::on_event(Instant, const Event& event) {
    if (event.kind == Event::Kind::answers) {
        const auto found = askers_.find(event.ask.index);
        if (found == askers_.end()) return;
        Asker& asker = *found->second;
        askers_.erase(found);
        asker.answers.assign(event.answers.begin(), event.answers.end());
        asker.done.notify();
        return;
    }
    if (event.kind == Event::Kind::rejoin) {
        rejoin_wanted_ = true;
        return;
    }
    auto notice = std::make_unique<Notice>(Notice{.kind = event.kind,
                                                  .cause = event.cause,
                                                  .name = std::string(event.name),
                                                  .text = std::string(event.text),
                                                  .question = event.question,
                                                  .address = event.address,
                                                  .unsent = event.unsent});
    if (event.kind == Event::Kind::question) return on_question(std::move(notice));
    notice_bytes_.fetch_add(notice->text.size(), std::memory_order_relaxed);
    const bool pushed = notices_.try_push(notice.get());
    RINGPOST_CHECK(pushed);  // the engine is the only producer, and has_room() was true
    [[maybe_unused]] Notice* const queued = notice.release();
}

// ---- questions ------------------------------------------------------------------------------------

void NodeCore::on_question(std::unique_ptr<Notice> notice) {
    const QuestionId question = notice->question;
    if (!waiting_questions_.push(std::move(notice))) {
        ++questions_dropped_;
        endpoint_->drop(question);
    }
    hand_out_questions();
}

void NodeCore::hand_out_questions() {
    // Full also of those that nobody has taken yet although their askers are gone.
    while (questions_.has_room()) {
        auto question = waiting_questions_.next();
        if (!question) return;
        const bool pushed = questions_.try_push(question.get());
        RINGPOST_CHECK(pushed);
        [[maybe_unused]] Notice* const queued = question.release();
    }
}

Sent NodeCore::answer(Instant now, QuestionId question, std::string_view text) {
    const Sent sent = endpoint_->answer(now, question, text);
    const bool may_try_again = sent == Sent::queue_full || sent == Sent::cannot_carry || sent == Sent::too_large;
    if (!may_try_again) waiting_questions_.on_done(question);
    return sent;
}

void NodeCore::drop(QuestionId question) {
    endpoint_->drop(question);
    waiting_questions_.on_done(question);
}

Instant NodeCore::on_turn(Instant now) {
    if (std::exchange(rejoin_wanted_, false)) rejoin();
    if (now >= check_links_at_) {
        check_links_at_ = now + link_check_interval;
        if (links_.changed(now)) update_links(now);
    }
    if (now >= check_questions_at_ && !waiting_questions_.empty()) {
        check_questions_at_ = now + question_check_interval;
        waiting_questions_.remove_closed([&](QuestionId each) { return endpoint_->awaits_answer(now, each); });
    }
    return waiting_questions_.waits() ? std::min(links_.retry_at(), check_questions_at_) : links_.retry_at();
}

void NodeCore::publish() {
    hand_out_questions();
    const bool notices = notices_.flush(), questions = questions_.flush();
    if (notices || questions) ready_.set();
}

void NodeCore::end() {
    for (const auto& [index, asker] : askers_) {
        asker->stopped = true;
        asker->done.notify();
    }
    askers_.clear();
    notices_.close();
    questions_.close();
    ready_.set();
}

void NodeCore::forget(const Asker& asker) {
    std::erase_if(askers_, [&](const auto& expected) { return expected.second == &asker; });
}

NodeCounters NodeCore::counters() const {
    NodeCounters out;
    out.protocol = endpoint_->counters();
    out.questions_dropped = questions_dropped_;
    out.links = links_.members().size();
    out.links_failed = links_.failed();
    if (links_.error()) out.link_error = links_.error()->text;
    return out;
}

// ---- links ----------------------------------------------------------------------------------------

/// Closes and opens sockets to match the current links.
void NodeCore::update_links(Instant now) {
    NodeLinks::Plan plan = links_.plan(now);
    for (const NodeLinks::Member& member : plan.closed) {
        endpoint_->remove_interface(member.socket);
        remove_socket_(member.socket);
    }
    for (NodeLinks::Opened& opened : plan.opened) {
        opened.member.socket = add_socket_(std::move(opened.socket));
        if (opened.member.socket >= limits::devices_interfaces_max) {
            // The slots of the sockets just closed are still in use.
            remove_socket_(opened.member.socket);
            links_.retry_later(now);
            continue;
        }
        endpoint_->add_interface(now, opened.member.socket, opened.member.own);
        links_.add(opened.member);
    }
}

/// Leaves and joins every group: refreshes the state of a switch that has lost a membership (IGMP and MLD snooping).
void NodeCore::rejoin() {
    for (const NodeLinks::Member& member : links_.members()) {
        if (member.link.empty()) continue;
        const ProtocolOptions& protocol = links_.protocol();
        const Address& group = member.own.family == Family::v4 ? protocol.group : *protocol.group_v6;
        UdpSocket& socket = *socket_at_(member.socket);
        // Fails if the link has just disappeared, which rtnetlink also reports.
        if (!socket.leave(group, member.link)) continue;
        [[maybe_unused]] const auto joined = socket.join(group, member.link);
    }
}

}  // namespace ringpost::devices
