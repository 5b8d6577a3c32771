#pragma once

// Carries the datagrams of another endpoint as messages of native connections: encrypted, each delivered once, in
// order.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/endpoint.hpp>
#include "codec/base/check.hpp"
#include "codec/base/limits.hpp"
#include "codec/base/lru_table.hpp"
#include "codec/native/endpoint.hpp"

namespace ringpost::traffic {

struct NativeTunnelOptions {
    native::EndpointOptions wire;
    /// A client's: the one connection that carries everything. Without it the tunnel is a server, with a connection for
    /// each peer.
    std::optional<native::ClientOptions> client{};
    Address server{};
    SipKey key{};  ///< secret
};

/// Inner is an endpoint whose events can be ignored, such as traffic::Source. A client polls it only while the
/// connection is open and its log has space, so none of its datagrams is refused.
///
/// What the inner endpoint of a server sends are replies. One to a peer that does not read what it is sent has no space
/// in the log, or belongs to no connection any more: it is dropped and counted (refused()), so that no peer stops the
/// others.
template <class Inner>
class NativeTunnel {
  public:
    using Event = typename Inner::Event;

    /// `inner` belongs to the caller and must outlive this object.
    NativeTunnel(Inner& inner, const NativeTunnelOptions& options)
        : inner_(inner),
          wire_(options.wire),
          client_(options.client.has_value()),
          peers_(options.wire.connections_max, options.key),
          scratch_(limits::datagram_bytes_max) {
        if (!client_) return;
        const auto number = wire_.connect(options.wire.start, options.server, *options.client);
        RINGPOST_CHECK(number.has_value());
        number_ = *number;
    }

    void handle(Instant now, const Datagram& in) { handle_train(now, in, in.bytes.size()); }
    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) {
        at_ = now;
        wire_.handle_train(now, train, segment_bytes);
    }
    void retain() { wire_.retain(); }

    void handle_timeout(Instant now) {
        at_ = now;
        wire_.handle_timeout(now);
        inner_.handle_timeout(now);
    }

    std::optional<Event> poll_event() {
        drain_wire();
        return inner_.poll_event();
    }

    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        at_ = now;
        while (wants_more() && take_train()) continue;
        auto transmit = wire_.poll_transmit(now, out);
        // Connected sockets need no address, which saves the kernel a route lookup.
        if (transmit && client_) transmit->destination = Address{};
        return transmit;
    }

    std::optional<Instant> poll_timeout() const {
        const auto wire = wire_.poll_timeout(), inner = can_take() ? inner_.poll_timeout() : std::nullopt;
        if (!wire || !inner) return wire ? wire : inner;
        return std::min(*wire, *inner);
    }

    /// A client: begins to close its connection; nothing more is taken from the inner endpoint.
    void close(Instant now, Instant deadline) {
        closing_ = true;
        wire_.close(now, number_, deadline);
    }

    /// A server: see native::Endpoint::allow().
    void allow(const crypto::AllowList* list) { wire_.allow(list); }

    const native::Endpoint& wire() const { return wire_; }
    /// A client's connection; null: it is not open, or has ended.
    [[nodiscard]] const native::Connection* connection() const { return wire_.find(number_); }
    [[nodiscard]] bool closing() const { return closing_; }
    /// How a client's connection has ended; nullopt: it has not.
    [[nodiscard]] const std::optional<native::CloseOutcome>& outcome() const { return outcome_; }
    /// A client's connection has ended, or there will be none: it failed, or was closed before it was open.
    [[nodiscard]] bool ended() const { return outcome_ || failed_; }
    /// Why a client has no connection; Failure::none: it has one, or there is no answer yet, or it was closed.
    [[nodiscard]] native::Initiator::Failure failure() const { return failure_; }
    /// What a client's connection had done when it ended, or has done until now.
    [[nodiscard]] native::Statistics statistics() const {
        return connection() != nullptr ? connection()->statistics() : last_;
    }
    [[nodiscard]] native::Path path() const { return connection() != nullptr ? connection()->path() : last_path_; }
    /// Datagrams that were queued on a connection.
    [[nodiscard]] std::uint64_t taken() const { return taken_; }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

  private:
    /// Bytes in a log that is about to be drained into trains: several, so that few are short.
    static constexpr std::uint64_t unsent_bytes = 256u << 10;

    struct Pending {
        std::size_t from = 0, bytes = 0, segment_bytes = 0;
    };

    [[nodiscard]] bool can_take() const { return client_ ? open_ && !full_ && !closing_ && !outcome_ : true; }
    [[nodiscard]] bool wants_more() const {
        if (!client_) return true;
        return can_take() && connection() != nullptr && connection()->unsent_bytes() < unsent_bytes;
    }

    void drain_wire() {
        while (const auto event = wire_.poll_event()) {
            if (event->kind == native::EndpointEvent::Kind::failed) {
                failure_ = event->failure;
                failed_ = true;
            } else if (event->kind == native::EndpointEvent::Kind::opened) {
                open_ = true;
                if (!client_) peers_.touch(wire_.peer(event->connection)) = event->connection;
            } else {
                on_event(event->connection, event->event);
            }
        }
    }

    void on_event(native::ConnectionNumber connection, const native::Event& event) {
        switch (event.kind) {
            case native::Event::Kind::run: receive(connection, event.run); break;
            case native::Event::Kind::writable: full_ = false; break;
            case native::Event::Kind::closed:
                if (client_) {
                    outcome_ = event.outcome;
                    last_ = this->connection()->statistics();
                    last_path_ = this->connection()->path();
                } else if (const auto* number = peers_.find(wire_.peer(connection)); number && *number == connection) {
                    peers_.erase(wire_.peer(connection));
                }
                break;
            case native::Event::Kind::acknowledged:
            case native::Event::Kind::breaker:
            case native::Event::Kind::closing: break;
        }
    }

    void receive(native::ConnectionNumber connection, const native::Run& run) {
        Datagram in{wire_.peer(connection), 0, {}};
        if constexpr (TrainEndpoint<Inner>) {
            if (run.stride > 0 && run.prefix == 0) {
                in.bytes = {run.at, run.bytes};
                return inner_.handle_train(at_, in, run.stride);
            }
        }
        run.for_each([&](std::span<const std::byte> message) {
            in.bytes = message;
            inner_.handle(at_, in);
        });
    }

    /// Moves a train of the inner endpoint to the log of its connection. False: there was none, or no space.
    bool take_train() {
        if (pending_.bytes > 0) return put(number_);
        const auto train = inner_.poll_transmit(at_, scratch_);
        if (!train) return false;
        pending_ = {0, train->bytes, train->segment_bytes};
        if (client_) return put(number_);
        const native::ConnectionNumber* const number = peers_.find(train->destination);
        if (number != nullptr) put(*number);
        refused_ += segment_count(pending_.bytes, std::max<std::size_t>(pending_.segment_bytes, 1));
        pending_ = {};
        return true;
    }

    bool put(native::ConnectionNumber number) {
        while (pending_.bytes > 0) {
            const std::size_t each = std::min(pending_.segment_bytes, pending_.bytes);
            const std::size_t count = each > 0 ? pending_.bytes / each : 1;
            const std::size_t done = wire_.send_many(number, 0, &scratch_[pending_.from], each, count);
            taken_ += done;
            pending_.from += done * each;
            pending_.bytes -= done * each;
            if (done < count) {
                full_ = client_;
                return false;
            }
        }
        return true;
    }

    Inner& inner_;
    native::Endpoint wire_;
    bool client_;
    native::ConnectionNumber number_{};
    LruTable<Address, native::ConnectionNumber> peers_;  ///< a server's
    std::vector<std::byte> scratch_;
    Pending pending_;  ///< of scratch_: what has no space yet
    bool open_ = false, full_ = false, closing_ = false;
    std::optional<native::CloseOutcome> outcome_;
    native::Initiator::Failure failure_ = native::Initiator::Failure::none;
    bool failed_ = false;
    native::Statistics last_;
    native::Path last_path_;
    std::uint64_t taken_ = 0, refused_ = 0;
    Instant at_ = 0;
};

}  // namespace ringpost::traffic
