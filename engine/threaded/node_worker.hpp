#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "codec/devices/endpoint.hpp"
#include "engine/threaded/node_shared.hpp"

namespace ringpost::devices {

/// What a Node's thread drives: an Endpoint whose events go to users as they have room for them. It is an endpoint
/// itself (codec/include/ringpost/datagram.hpp, stream.hpp), one that has no events; on_turn() and on_sleep() are those
/// of an Application (engine/loop/loop.hpp).
class NodeWorker {
  public:
    /// `shared` outlives it.
    NodeWorker(NodeShared& shared, const Options& options) : shared_(shared), endpoint_(options) {}

    struct Event {};
    void handle(Instant now, const Datagram& in);
    void handle(Instant now, const StreamInput& in);
    void handle_timeout(Instant now);
    std::optional<StreamIndex> accept(Instant now, const Address& peer) { return endpoint_.accept(now, peer); }
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        return endpoint_.poll_transmit(now, out);
    }
    std::optional<StreamRequest> poll_stream(Instant now, std::span<std::byte> out) {
        return endpoint_.poll_stream(now, out);
    }
    static std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return endpoint_.poll_timeout(); }

    Instant on_turn(Instant at);
    bool on_sleep();
    /// Every peer has heard the goodbye, or had its time for it: the loop is to stop.
    bool stopped() const { return stopped_; }
    /// A peer no longer hears us: the sockets should join their groups anew. Once.
    bool take_rejoin() { return std::exchange(rejoin_, false); }

    // ---- for users' jobs ----------------------------------------------------------------------

    Endpoint& endpoint() { return endpoint_; }

    /// An ask whose user waits. It lives until the worker has told it, or no longer knows it.
    struct Asker {
        std::vector<Answer> answers;
        bool stopped = false;  ///< the node has, before there were any
        Done done;
    };
    void expect(AskId ask, Asker& asker) { askers_[ask.index] = &asker; }
    /// The asker goes away.
    void forget(const Asker& asker);

    NodeCounters counters() const;
    /// Adds what the loop's owner counts.
    void count_engine_by(std::function<void(NodeCounters&)> add) { add_engine_counts_ = std::move(add); }

    /// After the loop's last turn.
    void finish();

  private:
    void ring();
    void take_events();
    void take(const devices::Event& event);

    NodeShared& shared_;
    Endpoint endpoint_;
    std::unordered_map<std::uint32_t, Asker*> askers_;  ///< by AskId::index
    std::uint64_t questions_dropped_ = 0;
    std::function<void(NodeCounters&)> add_engine_counts_;
    bool arrived_ = false, asked_ = false;  ///< since the bells were last rung
    bool rejoin_ = false, closing_ = false, stopped_ = false;
};

}  // namespace ringpost::devices
