// Confirmed messages.

#include <ringpost/confirmed.hpp>

#include <fmt/format.h>

#include <deque>
#include <utility>

#include "codec/confirmed/endpoint.hpp"
#include "engine/bindings/c/options.hpp"
#include "engine/bindings/c/polled_handle.hpp"
#include "engine/faces/fresh_options.hpp"
#include "engine/faces/option_check.hpp"

namespace ringpost::c {
namespace {

rp_confirmed_options confirmed_defaults() {
    const confirmed::ProtocolOptions protocol;
    rp_confirmed_options out{};
    out.engine = engine_defaults();
    out.peer_port = protocol.peer_port;
    out.bytes_max = static_cast<std::uint32_t>(protocol.bytes_max);
    out.timeout_ns = confirmed::default_timeout;
    out.answers_within_ns = protocol.answers_within;
    out.copies_within_ns = protocol.copies_within;
    return out;
}

std::int32_t refusal(std::string_view call, const confirmed::Refused& refused) {
    switch (refused.reason) {
        case confirmed::Refusal::not_utf8: return fail(RP_ETEXT, call, "the text is not UTF-8");
        case confirmed::Refusal::no_target: return fail(RP_EPEER, call, "there is no peer and no target");
        case confirmed::Refusal::too_large:
            return fail(RP_ETOOLARGE, call,
                        fmt::format("a datagram of {} bytes is more than bytes_max", refused.bytes));
        case confirmed::Refusal::queue_full: return fail(RP_EFULL, call, "too many messages are queued");
        case confirmed::Refusal::peers_full: return fail(RP_EFULL, call, "messages to too many peers are queued");
        case confirmed::Refusal::bad_peer: break;
    }
    return fail(RP_EPEER, call, "the peer has no address or port, or another address family than the socket");
}

std::int32_t outcome_code(confirmed::Outcome outcome) {
    switch (outcome) {
        case confirmed::Outcome::confirmed: return RP_CONFIRMED;
        case confirmed::Outcome::failed: return RP_FAILED;
        case confirmed::Outcome::timed_out: return RP_TIMED_OUT;
        case confirmed::Outcome::reported: break;
    }
    return RP_REPORTED;
}

std::span<const std::byte> text_of_event(const confirmed::Event& event) { return as_bytes(event.message.text()); }

rp_event event_of(const confirmed::Event& event, int error) {
    rp_event out{};
    out.peer = to_c(event.peer);
    out.flags = event.message.is_text() ? 0 : std::uint32_t{RP_EVENT_JSON};
    switch (event.kind) {
        case confirmed::Event::Kind::outcome:
            out.kind = RP_OUTCOME;
            out.code = outcome_code(event.outcome);
            out.id = event.number;
            if (!event.was_sent) out.flags |= RP_EVENT_UNSENT;
            if (event.outcome != confirmed::Outcome::confirmed) out.error = error;
            break;
        case confirmed::Event::Kind::message:
            out.kind = RP_MESSAGE;
            out.code = event.status == confirmed::Status::failed ? RP_FAILED : 0;
            break;
        case confirmed::Event::Kind::target:
            out.kind = RP_CHANGE;
            out.code = RP_TARGET;
            break;
    }
    return out;
}

class Confirmed final : public PolledHandle<confirmed::Endpoint> {
  public:
    Confirmed(std::unique_ptr<PolledEndpoint<confirmed::Endpoint>> polled, Duration timeout)
        : PolledHandle("confirmed messages", std::move(polled)), timeout_(timeout) {}

    std::int32_t send(std::string_view call, std::span<const rp_message> messages, std::uint64_t* ids) override {
        std::int32_t taken = 0;
        for (const rp_message& message : messages) {
            std::uint64_t id = 0;
            if (const auto error = send(call, message, message.timeout_ns, id)) return taken > 0 ? taken : error;
            if (ids != nullptr) ids[taken] = id;
            ++taken;
        }
        return taken;
    }

    std::int32_t send_and_wait(std::string_view call, const rp_message& message, Duration timeout,
                               EventWriter& out) override {
        std::uint64_t id = 0;
        if (const auto error = send(call, message, timeout, id)) return error;
        std::optional<confirmed::Event> ended;
        polled().wait_for(never, [&] { return (ended = endpoint().take_outcome(id)).has_value(); });
        rp_event event = event_of(*ended, polled().error_of(ended->peer));
        if (out.write(event, text_of_event(*ended))) return RP_OK;
        return fail(RP_ESMALL, call, "the buffer is too small for the answer");
    }

    std::int32_t target(std::string_view, Address& out) const override {
        out = endpoint().target();
        return RP_OK;
    }
    std::int64_t in_flight(std::string_view) override { return endpoint().in_flight(); }

    std::vector<rp_counter> counters() override {
        std::vector<rp_counter> out;
        auto counts = endpoint().counters();
        counts.refused_bad_peer = polled().bad_peers;
        append_counters(out, counts);
        append_engine_counters(out, polled().counters());
        return out;
    }

  protected:
    std::optional<Found> next(std::int32_t what) override {
        event_.reset();
        if ((what & RP_OUTCOME) != 0) event_ = endpoint().take_outcome();
        if (!event_ && (what & (RP_MESSAGE | RP_CHANGE)) == (RP_MESSAGE | RP_CHANGE)) event_ = endpoint().take_other();
        if (!event_ && (what & (RP_MESSAGE | RP_CHANGE)) == RP_MESSAGE) event_ = endpoint().take_message();
        if (!event_) return std::nullopt;
        return Found{event_of(*event_, polled().error_of(event_->peer)), text_of_event(*event_)};
    }

  private:
    std::int32_t send(std::string_view call, const rp_message& given, Duration timeout, std::uint64_t& id) {
        constexpr std::uint32_t known = RP_SEND_JSON | RP_SEND_OK | RP_SEND_FAILED;
        if (given.bytes == nullptr && given.size > 0) return fail(RP_EINVAL, call, "message->bytes is NULL");
        if ((given.flags & ~known) != 0 || (given.flags & RP_SEND_OK && given.flags & RP_SEND_FAILED))
            return fail(RP_EINVAL, call, "message->flags: not for confirmed messages");
        if (const auto error = check_timeout(call, timeout)) return error;
        confirmed::SendOptions how{.timeout = timeout == 0 ? timeout_ : timeout};
        if (given.flags & RP_SEND_OK) how.status = confirmed::Status::ok;
        if (given.flags & RP_SEND_FAILED) how.status = confirmed::Status::failed;
        if (given.peer != nullptr)
            if (const auto error = read(call, "message->peer", *given.peer, how.to)) return error;
        const Address& to = how.to.family == Family::none ? endpoint().target() : how.to;
        if (to.family != Family::none && !may_be_peer(to, polled().local)) {
            ++polled().bad_peers;
            return refusal(call, {confirmed::Refusal::bad_peer, given.size});
        }
        const std::string_view text(static_cast<const char*>(given.bytes), given.size);
        const auto sent = given.flags & RP_SEND_JSON ? send_json(call, text, how) : change().send(now(), text, how);
        if (!sent) return sent.error().reason == not_json ? RP_ETEXT : refusal(call, sent.error());
        id = *sent;
        return RP_OK;
    }

    // send_json() has stored the failure itself.
    static constexpr auto not_json = static_cast<confirmed::Refusal>(UINT8_MAX);

    std::expected<confirmed::SendNumber, confirmed::Refused> send_json(std::string_view call, std::string_view text,
                                                                       const confirmed::SendOptions& how) {
        const auto value = confirmed::Value::of_json(text);
        if (value) return change().send(now(), *value, how);
        fail(RP_ETEXT, call, fmt::format("the message is not JSON: {}", confirmed::name_of(value.error())));
        return std::unexpected(confirmed::Refused{not_json, text.size()});
    }

    const Duration timeout_;
    std::optional<confirmed::Event> event_;  ///< the last one returned
};

}  // namespace
}  // namespace ringpost::c

using namespace ringpost;
using namespace ringpost::c;

int32_t rp_confirmed_init(rp_confirmed_options* options, size_t size) {
    return init("rp_confirmed_init", options, size, confirmed_defaults());
}

int32_t rp_confirmed_open(const rp_confirmed_options* options, rp_handle** handle) {
    constexpr const char* call = "rp_confirmed_open";
    if (handle == nullptr) return fail(RP_EINVAL, call, "handle is NULL");
    *handle = nullptr;
    rp_confirmed_options given = confirmed_defaults();
    if (const auto error = read(call, options, given)) return error;
    confirmed::OpenOptions open;
    confirmed::ProtocolOptions& protocol = open.protocol;
    if (const auto error = read(call, given.engine, open.engine)) return error;
    if (const auto error = read(call, "bind", given.bind, open.bind)) return error;
    if (const auto error = read(call, "target", given.target, protocol.target)) return error;
    if (given.reply != RP_CONFIRM_TO_PORT && given.reply != RP_CONFIRM_TO_SOURCE)
        return fail(RP_EINVAL, call, fmt::format("reply {}: not an RP_CONFIRM_TO_*", given.reply));
    if (given.timeout_ns <= 0) return fail(RP_EINVAL, call, "timeout_ns must be positive");
    protocol.reply = static_cast<confirmed::Reply>(given.reply);
    protocol.peer_port = given.peer_port;
    protocol.retarget = given.retarget != 0;
    protocol.confirm_from_any = given.confirm_from_any != 0;
    protocol.bytes_max = given.bytes_max;
    protocol.answers_within = given.answers_within_ns;
    protocol.copies_within = given.copies_within_ns;
    if (const auto wrong = check_options(open)) return fail(call, *wrong);
    SocketOptions socket;
    socket.bind = open.bind;
    socket.gro = given.engine.gro != 0;
    auto polled = PolledEndpoint<confirmed::Endpoint>::open(socket, open.engine, fresh_options(protocol));
    if (!polled) return fail(call, polled.error());
    return publish(call, std::make_unique<Confirmed>(std::move(*polled), given.timeout_ns), handle);
}
