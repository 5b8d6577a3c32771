#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <ringpost/endpoint.hpp>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "codec/base/check.hpp"

namespace ringpost {

/// Several endpoints that share one driver, each with sockets of its own: an endpoint itself, which passes a datagram
/// to the endpoint that owns its socket. Sends are taken from the endpoints in turn. At most one of them may have
/// streams; stream calls are passed to it. The alternative of an event's variant identifies the endpoint.
template <DatagramEndpoint... Endpoints>
class Router {
    static constexpr std::size_t count = sizeof...(Endpoints);
    static_assert(count >= 1 && (std::size_t{StreamEndpoint<Endpoints>} + ...) <= 1);

  public:
    using Event = std::variant<typename Endpoints::Event...>;

    /// The endpoints stay the caller's and outlive the router.
    explicit Router(Endpoints&... endpoints) : endpoints_(&endpoints...) {}

    /// From now on `socket` belongs to the endpoint at that place. Datagrams of sockets that belong to none are counted
    /// and dropped.
    template <std::size_t place>
    void assign(SocketIndex socket) {
        static_assert(place < count);
        if (socket >= owners_.size()) owners_.resize(std::size_t{socket} + 1, count);
        owners_[socket] = place;
    }
    std::uint64_t unassigned() const { return unassigned_; }

    void handle(Instant now, const Datagram& in) {
        with(owner_of(in.socket, 1), [&](auto& endpoint) { endpoint.handle(now, in); });
    }
    /// An endpoint that does not take trains gets their datagrams one by one.
    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) {
        with(owner_of(train.socket, segment_count(train.bytes.size(), segment_bytes)), [&]<class E>(E& endpoint) {
            if constexpr (TrainEndpoint<E>)
                endpoint.handle_train(now, train, segment_bytes);
            else
                for_each_segment(train, segment_bytes, [&](const Datagram& in) { endpoint.handle(now, in); });
        });
    }
    void retain() {
        for_each([]<class E>(E& endpoint) {
            if constexpr (RetainingEndpoint<E>) endpoint.retain();
        });
    }

    void handle_timeout(Instant now) {
        for_each([&](auto& endpoint) {
            if (const auto due = endpoint.poll_timeout(); due && *due <= now) endpoint.handle_timeout(now);
        });
    }

    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        std::optional<Transmit> transmit;
        for (std::size_t i = 0; i < count && !transmit; ++i) {
            with(next_, [&](auto& endpoint) { transmit = endpoint.poll_transmit(now, out); });
            next_ = (next_ + 1) % count;
        }
        return transmit;
    }

    std::optional<Event> poll_event() { return poll_event_of(std::index_sequence_for<Endpoints...>{}); }

    std::optional<Instant> poll_timeout() const {
        std::optional<Instant> earliest;
        std::apply(
            [&](const auto*... endpoint) {
                for (const auto& due : {endpoint->poll_timeout()...})
                    if (due && (!earliest || *due < *earliest)) earliest = due;
            },
            endpoints_);
        return earliest;
    }

    std::optional<StreamIndex> accept(Instant now, const Address& peer)
        requires(StreamEndpoint<Endpoints> || ...)
    {
        return streams().accept(now, peer);
    }
    void handle(Instant now, const StreamInput& in)
        requires(StreamEndpoint<Endpoints> || ...)
    {
        streams().handle(now, in);
    }
    std::optional<StreamRequest> poll_stream(Instant now, std::span<std::byte> out)
        requires(StreamEndpoint<Endpoints> || ...)
    {
        return streams().poll_stream(now, out);
    }

  private:
    /// `count` if nobody has the socket; then `datagrams` are dropped.
    std::size_t owner_of(SocketIndex socket, std::size_t datagrams) {
        const std::size_t owner = socket < owners_.size() ? owners_[socket] : count;
        if (owner == count) unassigned_ += datagrams;
        return owner;
    }

    template <class Use>
    void with(std::size_t place, Use&& use) {
        std::size_t at = 0;
        for_each([&](auto& endpoint) {
            if (at++ == place) use(endpoint);
        });
    }

    template <class Use>
    void for_each(Use&& use) {
        std::apply([&](auto*... endpoint) { (use(*endpoint), ...); }, endpoints_);
    }

    template <std::size_t... places>
    std::optional<Event> poll_event_of(std::index_sequence<places...>) {
        std::optional<Event> out;
        const auto poll = [&]<std::size_t place>() {
            if (out) return;
            if (auto event = std::get<place>(endpoints_)->poll_event())
                out.emplace(std::in_place_index<place>, std::move(*event));
        };
        (poll.template operator()<places>(), ...);
        return out;
    }

    auto& streams() {
        constexpr std::size_t place = [] {
            constexpr std::array<bool, count> has{StreamEndpoint<Endpoints>...};
            std::size_t at = 0;
            while (!has[at]) ++at;
            return at;
        }();
        return *std::get<place>(endpoints_);
    }

    std::tuple<Endpoints*...> endpoints_;
    std::vector<std::size_t> owners_;  ///< by socket; `count`: none
    std::size_t next_ = 0;             ///< whose turn to send it is
    std::uint64_t unassigned_ = 0;
};

}  // namespace ringpost
