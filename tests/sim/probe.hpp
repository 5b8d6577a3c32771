#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>

namespace ringpost::sim {

/// A scripted node: sends only what a test schedules, and stores what it receives. Its socket i stands for another
/// address (network.hpp), so one probe can act as thousands of peers, or spoof them.
class Probe {
  public:
    struct Event {};
    struct Received {
        Instant at = 0;
        Address source;
        SocketIndex socket = 0;
        std::vector<std::byte> bytes;
    };

    /// Sends `bytes` at `at`, or at the node's first turn after that.
    void send(Instant at, const Address& to, std::vector<std::byte> bytes, SocketIndex socket = 0) {
        plan_.insert({at, Planned{to, socket, std::move(bytes)}});
    }

    void handle(Instant now, const Datagram& in) {
        received.push_back({now, in.source, in.socket, {in.bytes.begin(), in.bytes.end()}});
    }
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        if (plan_.empty() || plan_.begin()->first > now) return std::nullopt;
        const auto& [to, socket, bytes] = plan_.begin()->second;
        std::copy(bytes.begin(), bytes.end(), out.begin());
        const Transmit transmit{
            .destination = to, .socket = socket, .bytes = bytes.size(), .segment_bytes = bytes.size()};
        plan_.erase(plan_.begin());
        return transmit;
    }
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const {
        return plan_.empty() ? std::nullopt : std::optional(plan_.begin()->first);
    }

    std::vector<Received> received;

  private:
    struct Planned {
        Address to;
        SocketIndex socket;
        std::vector<std::byte> bytes;
    };

    std::multimap<Instant, Planned> plan_;
};

}  // namespace ringpost::sim
