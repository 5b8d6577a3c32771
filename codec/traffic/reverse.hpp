#pragma once

// Load from a sink to the one that asks for it (`load --reverse`, `sink --reverse-max`).
//
// A request (ControlKind::ask_reverse) has to carry a token that the sink has sent to its source before, so that nobody
// can direct a load at an address at which he does not receive. The sink sends only while requests are renewed, no
// longer than asked, and all of it together no faster than its own limit.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/siphash.hpp"
#include "codec/traffic/control.hpp"

namespace ringpost::traffic {

/// The numbers of a request, in this order.
struct ReverseRequest {
    std::uint64_t token = 0;         ///< of the last answer; 0: none yet
    std::uint64_t rate_per_ks = 0;   ///< datagrams in 1,000 s; 0: as many as the sink allows
    std::uint64_t frame_bytes = 64;  ///< from frame_bytes_min to limits::datagram_bytes_max
    std::uint64_t duration_ns = 0;   ///< up to limits::reverse_ns_max
    std::uint64_t wanted = 0;        ///< 1: send; 0: stop, and report
};

enum class ReverseState : std::uint8_t {
    off = 0,    ///< this sink sends nothing
    prove = 1,  ///< send the same with the token
    sending = 2,
    ended = 3,
    busy = 4,  ///< the limit is used up by others
};

/// The numbers of an answer, in this order.
struct ReverseAnswer {
    std::uint64_t token = 0;
    std::uint64_t state = 0;        ///< a ReverseState
    std::uint64_t rate_per_ks = 0;  ///< as granted
    std::uint64_t sent = 0;         ///< frames so far
};

Control to_control(std::uint32_t stream, std::uint64_t cookie, const ReverseRequest& request);
Control to_control(const Control& request, const ReverseAnswer& answer);
/// Null if it is another kind, or out of range.
std::optional<ReverseRequest> reverse_request_of(const Control& control);
std::optional<ReverseAnswer> reverse_answer_of(const Control& control);

struct ReverseCounters {
    std::uint64_t started = 0;  ///< sendings
    std::uint64_t frames = 0;
    std::uint64_t unproven = 0;  ///< requests without a token that fits: answered by one
    std::uint64_t refused = 0;   ///< requests while the limit was used up
    std::uint64_t expired = 0;   ///< sendings that ended because nobody renewed them

    static constexpr auto table() {
        return std::to_array<Counter<ReverseCounters>>({
            {"started", &ReverseCounters::started},
            {"frames", &ReverseCounters::frames},
            {"unproven", &ReverseCounters::unproven},
            {"refused", &ReverseCounters::refused},
            {"expired", &ReverseCounters::expired},
        });
    }
};
static_assert(lists_every_counter<ReverseCounters>());

struct ReverseSenderOptions {
    SipKey key = {};                   ///< of the tokens; must be random and secret
    std::uint64_t bits_per_s_max = 0;  ///< of all sendings together, with IP and UDP headers; 0: off
    std::size_t train_segments = 1;    ///< most datagrams in one Transmit
};

/// The sending half, part of a sink.
class ReverseSender {
  public:
    explicit ReverseSender(const ReverseSenderOptions& options);

    /// Returns the answer to a request of `in.source`.
    Control on_request(Instant now, const Datagram& in, const Control& control, const ReverseRequest& request);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Instant> poll_timeout() const;

    const ReverseCounters& counters() const { return counts_; }

  private:
    enum class State : std::uint8_t { free, sending, ended };
    struct Sending {
        State state = State::free;
        Address to{};
        LocalPath path{};
        std::uint32_t stream = 0;
        std::size_t frame_bytes = 0;
        std::uint64_t rate_per_ks = 0;
        std::uint64_t bits_per_s = 0;  ///< of the limit
        Instant start = 0, stop = 0, renewed_at = 0;
        std::uint64_t sent = 0, count = 0;  ///< frames, and how many there will be

        Instant due(std::uint64_t frame) const;
    };

    std::uint64_t token_of(const Address& source, std::uint64_t period) const;
    bool proves(Instant now, const Address& source, std::uint64_t token) const;
    Sending* find(const Address& source, std::uint32_t stream);
    Sending* begin(Instant now, const Datagram& in, std::uint32_t stream, const ReverseRequest& request);
    bool expire(Instant now, Sending& sending);
    void end(Sending& sending);

    ReverseSenderOptions options_;
    std::array<Sending, limits::reverse_sendings_max> sendings_{};
    std::uint64_t bits_per_s_ = 0;  ///< granted
    std::size_t next_ = 0;          ///< takes the next turn
    ReverseCounters counts_;
};

}  // namespace ringpost::traffic
