#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include <ringpost/datagram.hpp>
#include <ringpost/endpoint.hpp>

#include "codec/base/limits.hpp"
#include "codec/gtudp/endpoint.hpp"

namespace ringpost::c {

/// A gtudp::Endpoint that also records, if asked to, each datagram that it is given or makes.
class GtudpEndpoint {
  public:
    using Event = gtudp::Event;
    struct Packet {
        bool sent;
        Address peer;
        std::string bytes;
    };

    GtudpEndpoint(const gtudp::Options& options, bool traces) : inner(options), traces_(traces) {}

    void handle(Instant now, const Datagram& in) { handle_train(now, in, in.bytes.size()); }
    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes) {
        if (traces_)
            for_each_segment(train, segment_bytes, [&](const Datagram& in) { record(false, in.source, in.bytes); });
        inner.handle_train(now, train, segment_bytes);
    }
    void handle_timeout(Instant now) { inner.handle_timeout(now); }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        const auto transmit = inner.poll_transmit(now, out);
        if (traces_ && transmit) record_train(*transmit, out);
        return transmit;
    }
    std::optional<Event> poll_event() { return inner.poll_event(); }
    std::optional<Instant> poll_timeout() const { return inner.poll_timeout(); }

    /// The oldest recorded datagram. The newest are dropped while limits::c_packets_max wait.
    std::optional<Packet> take_packet() {
        if (packets_.empty()) return std::nullopt;
        std::optional<Packet> out(std::move(packets_.front()));
        packets_.pop_front();
        return out;
    }

    bool traces() const { return traces_; }

    gtudp::Endpoint inner;

  private:
    void record(bool sent, const Address& peer, std::span<const std::byte> bytes) {
        if (packets_.size() < limits::c_packets_max)
            packets_.push_back({sent, peer, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}});
    }
    void record_train(const Transmit& transmit, std::span<const std::byte> out) {
        std::size_t at = 0;
        do {
            const std::size_t bytes = std::min(transmit.segment_bytes, transmit.bytes - at);
            record(true, transmit.destination, out.subspan(at, bytes));
            at += transmit.segment_bytes;
        } while (at < transmit.bytes);
    }

    bool traces_;
    std::deque<Packet> packets_;
};
static_assert(TrainEndpoint<GtudpEndpoint>);

}  // namespace ringpost::c
