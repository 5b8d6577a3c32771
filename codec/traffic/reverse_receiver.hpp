#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/siphash.hpp"
#include "codec/traffic/control.hpp"
#include "codec/traffic/reverse.hpp"
#include "codec/traffic/sink.hpp"

namespace ringpost::traffic {

struct ReverseReceiverOptions {
    std::uint32_t stream = 0;  ///< random, below answer_stream_bit
    SipKey key = {};           ///< of the cookies; must be random and secret
    ReverseRequest request{};  ///< `token` and `wanted` are set here
    Instant start = 0;
};

/// The endpoint of `ringpost load --reverse`, on one socket that is connected to the sink: asks it to send, proves its
/// address, renews the request, and verifies what comes. See the .cpp.
class ReverseReceiver {
  public:
    struct Event {};  ///< none

    enum class End : std::uint8_t {
        none,      ///< not yet
        complete,  ///< sent() is known
        unknown,   ///< frames came, but the sink did not report how many it has sent
        silent,    ///< no answer
        off,       ///< the sink sends nothing
        busy,      ///< its limit is used up
    };

    explicit ReverseReceiver(const ReverseReceiverOptions& options);

    void handle(Instant now, const Datagram& in);
    void handle_train(Instant now, const Datagram& train, std::size_t segment_bytes);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const;

    /// Asks the sink to stop, unless it has ended.
    void stop(Instant now);
    End end() const { return end_; }
    std::uint64_t sent() const { return answer_.sent; }                ///< as the sink reports
    std::uint64_t rate_per_ks() const { return answer_.rate_per_ks; }  ///< as granted; 0: never
    const Sink& sink() const { return sink_; }

  private:
    enum class State : std::uint8_t { asking, receiving, stopping, settling, over };

    void on_answer(Instant now, const ReverseAnswer& answer);
    void turn_to(Instant now, State state);
    void finish(End end);
    std::uint64_t distinct() const;

    ReverseReceiverOptions options_;
    Sink sink_;
    ReverseAnswer answer_;
    State state_ = State::asking;
    End end_ = End::none;
    bool due_ = true;  ///< a request is to be sent
    std::uint8_t sends_ = 0, proofs_ = 0;
    std::uint64_t cookie_ = 0, cookies_ = 0;
    Instant expires_at_, stop_at_ = never, came_at_ = never;
};

}  // namespace ringpost::traffic
