#pragma once

// Carries the datagrams of another endpoint as gtUDP messages: each is confirmed, and delivered once.

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/endpoint.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/zeroed_array.hpp"
#include "codec/gtudp/endpoint.hpp"
#include "codec/measure/histogram.hpp"

namespace ringpost::traffic {

struct GtudpTunnelOptions {
    gtudp::Options wire;
    Address target;  ///< destination of transmits without one; Family::none for a server
    /// Messages in flight at which the inner endpoint is no longer polled; > 0. A server is always polled: a quarter of
    /// the window and of the payload memory is the share of each peer.
    std::uint32_t window = 8'192;
    std::uint32_t train_segments = limits::train_segments_max;  ///< most datagrams in one Transmit of the inner
                                                                ///< endpoint
};

/// Inner is an endpoint whose events can be ignored, such as traffic::Source. A client polls it only while the window
/// and the payload memory have space for a whole train, so its datagrams are never refused for lack of space.
///
/// What the inner endpoint of a server sends are replies (gtudp::Origin), so no amplification is possible. While half
/// of a peer's share is in flight, its messages are not accepted, and it sends them again. A reply without space is
/// dropped and counted (refused()), so that no peer stops the others.
template <class Inner>
class GtudpTunnel {
  public:
    using Event = typename Inner::Event;

    /// `inner` belongs to the caller and must outlive this object.
    GtudpTunnel(Inner& inner, const GtudpTunnelOptions& options)
        : inner_(inner),
          options_(with_shares(options)),
          wire_(options_.wire),
          sent_at_(options.wire.sends_max),
          scratch_(limits::datagram_bytes_max),
          last_confirmed_at_(options.wire.start) {
        options_.train_segments = std::min(options_.train_segments, options_.window);
    }

    void handle(Instant now, const Datagram& in) {
        at_ = now;
        wire_.handle(now, in);
    }
    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) {
        at_ = now;
        wire_.handle_train(now, train, segment_bytes);
    }

    void handle_timeout(Instant now) {
        at_ = now;
        wire_.handle_timeout(now);
        inner_.handle_timeout(now);
    }

    std::optional<Event> poll_event() {
        drain_wire();
        // A server's replies count against the peer's share before more of its messages are accepted.
        while (is_server() && take_train(at_)) continue;
        return inner_.poll_event();
    }

    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        at_ = now;
        bool taken = has_room() && take_train(now);
        auto transmit = wire_.poll_transmit(now, out);
        // Those of a server may all be refused or withheld; the next may be for another peer.
        while (is_server() && taken && !transmit) {
            taken = take_train(now);
            transmit = wire_.poll_transmit(now, out);
        }
        // Connected sockets need no address, which saves the kernel a route lookup.
        if (transmit && transmit->destination == options_.target) transmit->destination = Address{};
        return transmit;
    }

    std::optional<Instant> poll_timeout() const {
        const auto wire = wire_.poll_timeout(), inner = has_room() ? inner_.poll_timeout() : std::nullopt;
        if (!wire || !inner) return wire ? wire : inner;
        return std::min(*wire, *inner);
    }

    gtudp::Endpoint& wire() { return wire_; }
    const gtudp::Endpoint& wire() const { return wire_; }
    /// Whether a peer may not know yet of a message that has arrived, or has not confirmed one that was sent to it.
    bool peers_wait() const { return wire_.awaiting_acks() > 0 || wire_.in_flight() > 0; }
    /// Time from send to confirmation of each message.
    const Histogram& confirmed() const { return confirmed_; }
    /// Datagrams refused for any reason but a full window: too large, or no space for the peer or its replies.
    std::uint64_t refused() const { return refused_; }

    /// GtudpTunnelOptions::wire.start if there was none.
    Instant last_confirmed_at() const { return last_confirmed_at_; }

  private:
    static constexpr std::uint32_t peer_share = 4;

    bool is_server() const { return options_.target.family == Family::none; }

    static GtudpTunnelOptions with_shares(GtudpTunnelOptions options) {
        if (options.target.family != Family::none) return options;
        options.wire.answering = true;
        options.wire.sends_per_peer_max = std::max(options.window / peer_share, 1u);
        options.wire.payload_per_peer_bytes = options.wire.payload_bytes / peer_share;
        return options;
    }

    void drain_wire() {
        while (true) {
            if (const auto messages = wire_.poll_messages()) {
                receive(*messages);
                continue;
            }
            const auto event = wire_.poll_event();
            if (!event) return;
            if (event->kind == gtudp::Event::Kind::outcome && event->outcome == gtudp::Outcome::confirmed)
                confirm(event->id);
        }
    }

    void receive(const gtudp::Messages& messages) {
        const Datagram train{messages.peer, options_.wire.socket, messages.bytes};
        if constexpr (TrainEndpoint<Inner>)
            inner_.handle_train(at_, train, messages.message_bytes);
        else
            for_each_segment(train, messages.message_bytes, [&](const Datagram& in) { inner_.handle(at_, in); });
    }

    bool has_room() const {
        if (is_server()) return true;
        return wire_.in_flight() + options_.train_segments <= options_.window &&
               wire_.free_payload_bytes() >=
                   limits::datagram_bytes_max + options_.train_segments * ChunkPool::chunk_bytes;
    }

    void confirm(gtudp::ExchangeId id) {
        confirmed_.record(at_ - sent_at_[id.index]);
        last_confirmed_at_ = at_;
    }

    bool take_train(Instant now) {
        const auto train = inner_.poll_transmit(now, scratch_);
        if (!train) return false;
        const Address& to = train->destination.family == Family::none ? options_.target : train->destination;
        const auto bytes = std::span<const std::byte>(scratch_).first(train->bytes);
        const std::size_t count = segment_count(train->bytes, train->segment_bytes);
        const gtudp::Origin origin = is_server() ? gtudp::Origin::reply : gtudp::Origin::own;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t from = i * train->segment_bytes;
            const auto sent = wire_.send(
                now, to, bytes.subspan(from, std::min(train->segment_bytes, bytes.size() - from)), never, origin);
            if (sent)
                sent_at_[sent->index] = now;
            else
                ++refused_;
        }
        drain_wire();  // replies that were displaced hold their places until then
        return true;
    }

    Inner& inner_;
    GtudpTunnelOptions options_;
    gtudp::Endpoint wire_;
    ZeroedArray<Instant> sent_at_;  ///< by ExchangeId::index
    std::vector<std::byte> scratch_;
    Histogram confirmed_;
    std::uint64_t refused_ = 0;
    Instant at_ = 0, last_confirmed_at_;
};

}  // namespace ringpost::traffic
