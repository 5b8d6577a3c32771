#pragma once

#include "codec/traffic/sink.hpp"
#include "codec/traffic/source.hpp"

namespace ringpost::traffic {

/// The sending side of a bidirectional load: `source` sends, `sink` verifies the replies (see AnsweringSink). Both
/// belong to the caller and must outlive this object.
class Duplex {
  public:
    using Event = Source::Event;

    Duplex(Source& source, Sink& sink) : source_(source), sink_(sink) {}

    void handle(Instant now, const Datagram& in) { sink_.handle(now, in); }
    void handle_timeout(Instant now) { source_.handle_timeout(now); }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        return source_.poll_transmit(now, out);
    }
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return source_.poll_timeout(); }

  private:
    Source& source_;
    Sink& sink_;
};

}  // namespace ringpost::traffic
