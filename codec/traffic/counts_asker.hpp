#pragma once

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

struct CountsAskerOptions {
    std::span<const std::uint64_t> sent;  ///< frames of each flow, which has a socket; must outlive the asker
    SocketIndex first_socket = 0;         ///< of the flows, which are consecutive
    std::uint32_t stream = 0;             ///< of flow 0; flow i uses stream + i
    SipKey key = {};                      ///< of the cookies; must be random and secret
    Instant start = 0;
};

/// What the sink reports of all flows together. The counts are complete if `known` equals `flows`.
struct FarCounts {
    std::uint64_t flows = 0;
    std::uint64_t known = 0;      ///< flows whose counts the sink knows
    std::uint64_t forgotten = 0;  ///< flows that the sink may have forgotten
    std::uint64_t rejected = 0;   ///< answers that cannot be true; not counted otherwise
    std::uint64_t received = 0;   ///< distinct frames
    std::uint64_t duplicate = 0;
    std::uint64_t reordered = 0;
    std::uint64_t corrupt = 0;

    static constexpr auto table() {
        return std::to_array<Counter<FarCounts>>({
            {"flows", &FarCounts::flows},
            {"known", &FarCounts::known},
            {"forgotten", &FarCounts::forgotten},
            {"rejected", &FarCounts::rejected},
            {"received", &FarCounts::received},
            {"duplicate", &FarCounts::duplicate},
            {"reordered", &FarCounts::reordered},
            {"corrupt", &FarCounts::corrupt},
        });
    }
};
static_assert(lists_every_counter<FarCounts>());

/// The endpoint with which `ringpost load` asks a sink at its end what has arrived of each flow. See the .cpp.
class CountsAsker {
  public:
    struct Event {};  ///< none; see counts()

    explicit CountsAsker(const CountsAskerOptions& options);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const;

    /// All flows have an outcome, or the other end does not answer.
    bool finished() const { return gave_up_ || (next_flow_ == options_.sent.size() && asking_ == 0); }
    const FarCounts& counts() const { return counts_; }

  private:
    enum class Wait : std::uint8_t { idle, sending, answer, pause };
    struct Asked {
        Wait wait = Wait::idle;
        std::uint8_t sends = 0, rounds = 0;
        std::size_t flow = 0;
        std::uint64_t cookie = 0;
        Instant expires_at = 0;
        std::optional<StreamCounts> last;  ///< the answer before
    };

    void begin_flows();
    std::uint64_t next_cookie();
    void on_answer(Instant now, Asked& asked, const Control& answer);
    void expire(Asked& asked);
    void settle(Asked& asked, const StreamCounts& counts);
    void close(Asked& asked);

    CountsAskerOptions options_;
    FarCounts counts_;
    std::array<Asked, limits::control_asked_max> asked_{};
    std::size_t asking_ = 0;     ///< entries that are not idle
    std::size_t next_flow_ = 0;  ///< the first that was not asked about yet
    std::uint64_t cookies_ = 0;
    bool answered_ = false;
    bool gave_up_ = false;
    Instant give_up_at_;
};

}  // namespace ringpost::traffic
