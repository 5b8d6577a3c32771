// gtUDP with a thread. A call that waits for one kind of event waits for that queue; one that waits for several waits
// for the descriptor, which covers both.

#include "engine/bindings/c/gtudp.hpp"

#include <poll.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <utility>

#include "engine/bindings/c/handles.hpp"
#include "engine/bindings/c/wait_readable.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::c {
namespace {

rp_event outcome_of(const gtudp::Ended& ended) {
    rp_event out{};
    out.kind = RP_OUTCOME;
    out.id = ended.ticket.number;
    out.peer = to_c(ended.peer);
    out.code = ended.result ? code_of(*ended.result) : RP_NOT_TAKEN;
    out.error = ended.error;
    out.value = ended.result ? std::int64_t{ended.sends} : code_of(ended.result.error());
    return out;
}

class ThreadedGtudp final : public Handle {
  public:
    ThreadedGtudp(gtudp::ThreadedMessenger messenger, const GtudpChoice& choice)
        : Handle("gtUDP with a thread", Threads::any),
          messenger_(std::move(messenger)),
          connected_(choice.options.connect),
          reports_outcomes_(choice.reports_outcomes) {}

    std::int32_t send(std::string_view call, std::span<const rp_message> messages, std::uint64_t* ids) override {
        discard_outcomes();
        std::int32_t taken = 0;
        GtudpMessage message;
        for (const rp_message& given : messages) {
            auto error = read(call, given, connected_, message);
            if (error == RP_OK) error = send(call, message, ids == nullptr ? nullptr : ids + taken);
            if (error != RP_OK) return taken > 0 ? taken : error;
            ++taken;
        }
        return taken;
    }

    std::int32_t send_packed(std::string_view call, const PackedSend& sends, std::uint64_t* ids) override {
        const Address& peer = sends.peer.family == Family::none ? connected_ : sends.peer;
        discard_outcomes();
        const std::byte* bytes = sends.bytes;
        for (std::uint32_t i = 0; i < sends.count; ++i) {
            const std::size_t size = sends.size(i);
            const GtudpMessage message{peer, {bytes, size}, sends.deadline};
            if (const auto error = send(call, message, ids == nullptr ? nullptr : ids + i))
                return i > 0 ? static_cast<std::int32_t>(i) : error;
            bytes += size;
        }
        return static_cast<std::int32_t>(sends.count);
    }

    std::int32_t send_and_wait(std::string_view call, const rp_message& given, Duration timeout,
                               EventWriter& out) override {
        GtudpMessage message;
        if (const auto error = read(call, given, connected_, message)) return error;
        if (message.raw) return fail(RP_EINVAL, call, "RP_SEND_RAW: not with a thread");
        const auto result = messenger_.send_and_wait(message.peer, message.bytes, timeout);
        if (!result) return fail(call, result.error());
        rp_event ended{};
        ended.kind = RP_OUTCOME;
        ended.code = code_of(*result);
        ended.peer = to_c(message.peer);
        out.write(ended, {});
        return RP_OK;
    }

    std::int32_t cancel(std::string_view call, std::uint64_t id) override {
        if (messenger_.cancel({id})) return 1;
        return fail(RP_EFULL, call, "the queue of commands is full");
    }

    std::int32_t receive(std::string_view call, std::int32_t what, EventWriter& out, Duration timeout) override {
        discard_outcomes();
        const bool messages = (what & (RP_MESSAGE | RP_FOREIGN)) != 0;
        const bool outcomes = reports_outcomes_ && (what & RP_OUTCOME) != 0;
        if (messages && outcomes) {
            receive_both(out, timeout);
        } else if (take_kept(what, out)) {
            if (out.count() > 0) timeout = 0;
            if (messages) take_messages(out, timeout);
            if (outcomes) take_outcomes(out, timeout);
        }
        if (out.count() > 0 || !out.is_small()) return static_cast<std::int32_t>(out.count());
        return fail(RP_ESMALL, call, "the buffer is too small for the next event");
    }

    std::int32_t descriptor(std::string_view) override { return messenger_.fd(); }

    std::int32_t poll(std::string_view) override { return has_kept() || wait_readable(messenger_.fd(), now()) ? 1 : 0; }

    void stop() override {
        stopped_ = true;
        messenger_.stop();
    }

    std::int32_t local(std::string_view, Address& out) const override {
        out = messenger_.local();
        return RP_OK;
    }
    std::int64_t in_flight(std::string_view) override {
        const gtudp::Counters counts = messenger_.counters();
        return static_cast<std::int64_t>(counts.taken - counts.confirmed - counts.gave_up_attempts -
                                         counts.gave_up_deadline - counts.cancelled);
    }
    const char* backend() const override { return messenger_.backend(); }
    const char* note() const override { return messenger_.note().c_str(); }
    std::vector<rp_counter> counters() override {
        std::vector<rp_counter> out;
        append_counters(out, messenger_.counters());
        append_engine_counters(out, messenger_.engine_counters());
        return out;
    }

  private:
    std::atomic<bool> stopped_{false};

    std::int32_t send(std::string_view call, const GtudpMessage& message, std::uint64_t* id) {
        if (message.raw) return fail(RP_EINVAL, call, "RP_SEND_RAW: not with a thread");
        const auto ticket = messenger_.send(message.peer, message.bytes, message.deadline);
        if (!ticket) return fail(call, ticket.error());
        if (id != nullptr) *id = ticket->number;
        return RP_OK;
    }

    /// Without reports, outcomes would fill their queue.
    void discard_outcomes() {
        if (!reports_outcomes_)
            while (messenger_.next_outcome(0)) continue;
    }

    void receive_both(EventWriter& out, Duration timeout) {
        const Instant deadline = deadline_after(timeout);
        while (true) {
            if (!take_kept(RP_ANY, out)) return;
            take_outcomes(out, 0);
            take_messages(out, 0);
            if (out.count() > 0 || out.is_small() || stopped_) return;
            if (!wait_readable(messenger_.fd(), deadline)) return;
        }
    }

    void take_messages(EventWriter& out, Duration timeout) {
        while (!out.full() && !out.is_small()) {
            const auto message = messenger_.receive(out.count() == 0 ? timeout : 0);
            if (!message) return;
            rp_event event{};
            event.kind = message->foreign ? RP_FOREIGN : RP_MESSAGE;
            event.peer = to_c(message->peer);
            if (out.write(event, message->bytes)) continue;
            const std::scoped_lock lock(kept_mutex_);
            kept_.push_back({event, {}, std::string(as_text(message->bytes))});
            return;
        }
    }

    void take_outcomes(EventWriter& out, Duration timeout) {
        while (!out.full()) {
            const auto ended = messenger_.next_outcome(out.count() == 0 ? timeout : 0);
            if (!ended) return;
            rp_event event = outcome_of(*ended);
            out.write(event, {});
        }
    }

    /// False if one does not fit. Only messages are kept.
    bool take_kept(std::int32_t what, EventWriter& out) {
        if ((what & (RP_MESSAGE | RP_FOREIGN)) == 0) return true;
        const std::scoped_lock lock(kept_mutex_);
        while (!kept_.empty() && !out.full()) {
            if (!out.write(kept_.front())) return false;
            kept_.pop_front();
        }
        return true;
    }
    bool has_kept() {
        const std::scoped_lock lock(kept_mutex_);
        return !kept_.empty();
    }

    gtudp::ThreadedMessenger messenger_;
    const Address connected_;
    const bool reports_outcomes_;
    std::mutex kept_mutex_;
    std::deque<Kept> kept_;
};

}  // namespace

std::int32_t open_threaded(std::string_view call, const GtudpChoice& choice, rp_handle** out) {
    auto messenger = gtudp::ThreadedMessenger::open(choice.options);
    if (!messenger) return fail(call, messenger.error());
    return publish(call, std::make_unique<ThreadedGtudp>(std::move(*messenger), choice), out);
}

}  // namespace ringpost::c
