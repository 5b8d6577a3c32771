// gtUDP without a thread. Outcomes that a waiting rp_send_and_wait() finds, but that are of other sends, are kept.

#include "engine/bindings/c/gtudp.hpp"

#include <deque>
#include <utility>

#include "engine/bindings/c/gtudp_endpoint.hpp"
#include "engine/bindings/c/polled_handle.hpp"
#include "engine/faces/gtudp_open.hpp"
#include "engine/faces/option_check.hpp"

namespace ringpost::c {
namespace {

std::uint64_t number_of(const gtudp::ExchangeId& id) { return std::uint64_t{id.identity} << 32 | id.index; }
gtudp::ExchangeId exchange_of(std::uint64_t number) {
    return {static_cast<std::uint32_t>(number), static_cast<gtudp::Identity>(number >> 32)};
}

/// Fills an event that is all zero.
void fill_outcome(rp_event& out, const gtudp::Event& ended, const PolledEndpoint<GtudpEndpoint>& polled) {
    out.kind = RP_OUTCOME;
    out.code = code_of(ended.outcome);
    out.id = number_of(ended.id);
    out.peer = to_c(ended.peer);
    out.error = ended.outcome == gtudp::Outcome::confirmed ? 0 : polled.error_of(ended.peer);
    out.value = ended.sends;
}
rp_event outcome_of(const gtudp::Event& ended, const PolledEndpoint<GtudpEndpoint>& polled) {
    rp_event out{};
    fill_outcome(out, ended, polled);
    return out;
}

rp_event message_from(const Address& peer, std::int32_t kind) {
    rp_event out{};
    out.kind = kind;
    out.peer = to_c(peer);
    return out;
}

class PolledGtudp final : public PolledHandle<GtudpEndpoint> {
  public:
    PolledGtudp(std::unique_ptr<PolledEndpoint<GtudpEndpoint>> polled, const GtudpChoice& choice)
        : PolledHandle("gtUDP", std::move(polled)),
          connected_(choice.options.connect),
          reports_outcomes_(choice.reports_outcomes),
          sends_max_(choice.options.protocol.sends_max) {}

    std::int32_t send(std::string_view call, std::span<const rp_message> messages, std::uint64_t* ids) override {
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
        const Instant at = now();
        const std::byte* bytes = sends.bytes;
        for (std::uint32_t i = 0; i < sends.count; ++i) {
            const std::size_t size = sends.size(i);
            const auto sent = send_at(at, {peer, {bytes, size}, sends.deadline});
            if (!sent) return i > 0 ? static_cast<std::int32_t>(i) : fail(call, sent.error());
            if (ids != nullptr) ids[i] = number_of(*sent);
            bytes += size;
        }
        return static_cast<std::int32_t>(sends.count);
    }

    std::int32_t send_and_wait(std::string_view call, const rp_message& given, Duration timeout,
                               EventWriter& out) override {
        GtudpMessage message;
        if (const auto error = read(call, given, connected_, message)) return error;
        if (message.raw) return fail(RP_EINVAL, call, "RP_SEND_RAW: has no outcome");
        const auto sent = send_at(now(), {message.peer, message.bytes, deadline_after(timeout)});
        if (!sent) return fail(call, sent.error());
        std::optional<rp_event> ended;
        polled().wait_for(never, [&] {
            while (!ended) {
                const auto event = endpoint().inner.poll_outcome();
                if (!event) return false;
                if (event->id == *sent)
                    ended = outcome_of(*event, polled());
                else if (reports_outcomes_)
                    outcomes_.push_back(outcome_of(*event, polled()));
            }
            return true;
        });
        out.write(*ended, {});
        return RP_OK;
    }

    std::int32_t cancel(std::string_view, std::uint64_t id) override {
        return change().inner.cancel(exchange_of(id)) ? 1 : 0;
    }

    std::int64_t in_flight(std::string_view) override { return endpoint().inner.in_flight(); }

    std::vector<rp_counter> counters() override {
        std::vector<rp_counter> out;
        gtudp::Counters counts = endpoint().inner.counters();
        counts.refused_bad_peer = polled().bad_peers;
        append_counters(out, counts);
        append_engine_counters(out, polled().counters());
        return out;
    }

  protected:
    std::optional<Found> next(std::int32_t what) override {
        if ((what & RP_OUTCOME) != 0 || !reports_outcomes_)
            if (auto found = next_outcome()) return found;
        if ((what & RP_PACKET) != 0)
            if (auto found = next_packet()) return found;
        if ((what & (RP_MESSAGE | RP_FOREIGN)) != 0) return next_message();
        return std::nullopt;
    }

    void take_batches(std::int32_t what, EventWriter& out) override {
        gtudp::Endpoint& gtudp = endpoint().inner;
        if ((what & RP_OUTCOME) != 0 && reports_outcomes_ && outcomes_.empty())
            while (!out.full()) {
                const auto ended = gtudp.poll_outcome();
                if (!ended) break;
                fill_outcome(out.add(), *ended, polled());
            }
        // Packets come before the messages that were in them.
        if ((what & RP_MESSAGE) == 0 || endpoint().traces()) return;
        while (const std::size_t room = out.room_for(gtudp.next_message_bytes())) {
            const auto messages = gtudp.poll_messages(room);
            if (!messages) return;
            out.write_all(message_from(messages->peer, RP_MESSAGE), messages->bytes, messages->message_bytes);
        }
    }

  private:
    std::expected<gtudp::ExchangeId, gtudp::Refusal> send_at(Instant at, const GtudpMessage& message) {
        if (!may_be_peer(message.peer, polled().local)) {
            ++polled().bad_peers;
            return std::unexpected(gtudp::Refusal::bad_peer);
        }
        if (outcomes_.size() >= sends_max_) return std::unexpected(gtudp::Refusal::table_full);
        return change().inner.send(at, message.peer, message.bytes, message.deadline);
    }

    std::int32_t send(std::string_view call, const GtudpMessage& message, std::uint64_t* id) {
        if (message.raw) {
            if (!may_be_peer(message.peer, polled().local)) return fail(call, gtudp::Refusal::bad_peer);
            if (id != nullptr) *id = 0;
            if (change().inner.send_raw(message.peer, message.bytes)) return RP_OK;
            return fail(RP_EFULL, call, "the queue of raw datagrams is full, or it is larger than a datagram");
        }
        const auto sent = send_at(now(), message);
        if (!sent) return fail(call, sent.error());
        if (id != nullptr) *id = number_of(*sent);
        return RP_OK;
    }

    std::optional<Found> next_outcome() {
        if (!outcomes_.empty()) {
            Found found{outcomes_.front()};
            outcomes_.pop_front();
            return found;
        }
        while (const auto event = endpoint().inner.poll_outcome())
            if (reports_outcomes_) return Found{outcome_of(*event, polled())};
        return std::nullopt;
    }

    std::optional<Found> next_message() {
        const auto event = endpoint().inner.poll_message();
        if (!event) return std::nullopt;
        return Found{message_from(event->peer, event->kind == gtudp::Event::Kind::foreign ? RP_FOREIGN : RP_MESSAGE),
                     event->bytes};
    }

    std::optional<Found> next_packet() {
        packet_ = endpoint().take_packet();
        if (!packet_) return std::nullopt;
        Found found;
        found.event.kind = RP_PACKET;
        found.event.code = packet_->sent ? 1 : 0;
        found.event.peer = to_c(packet_->peer);
        found.bytes = std::as_bytes(std::span(packet_->bytes));
        return found;
    }

    const Address connected_;
    const bool reports_outcomes_;
    const std::uint32_t sends_max_;
    std::deque<rp_event> outcomes_;
    std::optional<GtudpEndpoint::Packet> packet_;  ///< the last one returned
};

}  // namespace

std::int32_t open_polled(std::string_view call, const GtudpChoice& choice, rp_handle** out) {
    auto opening = gtudp::opening_of(choice.options);
    if (!opening) return fail(call, opening.error());
    opening->socket.adopted = choice.socket;
    auto polled = PolledEndpoint<GtudpEndpoint>::open(opening->socket, choice.options.engine,
                                                      [&](SocketIndex index) -> GtudpEndpoint {
                                                          opening->protocol.socket = index;
                                                          opening->protocol.start = now();
                                                          // NOLINTNEXTLINE(modernize-return-braced-init-list)
                                                          return GtudpEndpoint(opening->protocol, choice.traces);
                                                      });
    if (!polled) return fail(call, polled.error());
    return publish(call, std::make_unique<PolledGtudp>(std::move(*polled), choice), out);
}

}  // namespace ringpost::c
