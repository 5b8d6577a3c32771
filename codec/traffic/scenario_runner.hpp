#pragma once

// Runs sessions of a scenario.

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/ring_queue.hpp"
#include "codec/base/siphash.hpp"
#include "codec/base/timer_wheel.hpp"
#include "codec/base/zeroed_array.hpp"
#include "codec/measure/histogram.hpp"
#include "codec/traffic/scenario.hpp"
#include "codec/traffic/schedule.hpp"

namespace ringpost::traffic {

struct ScenarioOptions {
    const Scenario* scenario = nullptr;  ///< must outlive the runner
    double rate_per_s = 0;               ///< open loop: sessions begun; 0: closed loop, where one's end begins another
    Arrivals arrivals = Arrivals::fixed;
    std::uint64_t arrivals_seed = 0;
    std::uint32_t burst = 1;               ///< fixed rate: sessions due at once
    const RateProfile* profile = nullptr;  ///< replaces the rate, which must then be > 0; must outlive the runner
    const Recording* recording = nullptr;  ///< the same, see ScheduleOptions
    /// Takes number share_index and every share_of-th after it from the schedule.
    std::size_t share_index = 0, share_of = 1;
    std::uint32_t window = 1;   ///< closed loop: sessions at a time
    Duration timeout = second;  ///< of a reply without `within`
    Instant start = 0;
    /// Sessions due within this time run, but are neither counted nor measured.
    Duration warm_up = 0;
    Instant stop = never;              ///< sessions due at or after this time do not begin; see overtime()
    std::uint64_t count = UINT64_MAX;  ///< number of measured sessions
    Duration unix_offset = 0;          ///< of the times in payloads, see PayloadValues
    std::uint64_t seed = 0;            ///< of payloads; should be random
    SipKey key{};                      ///< of replies that repeat their request; must be random
    /// Sockets, at most limits::load_flows_max. Each has one session at a time, and all its replies are for that one.
    std::uint32_t flows = 1;
    SocketIndex first_socket = 0;  ///< of the flows, which are consecutive
};

struct ScenarioCounters {
    std::uint64_t sessions = 0;   ///< begun
    std::uint64_t completed = 0;  ///< got every reply
    std::uint64_t wrong = 0;      ///< ended by a wrong reply
    std::uint64_t timed_out = 0;  ///< ended by a missing reply
    std::uint64_t unended = 0;    ///< ended by a `repeat ... while` whose condition still held
    std::uint64_t waited = 0;     ///< had to wait until a flow was free
    std::uint64_t datagrams_sent = 0, datagrams_received = 0;  ///< all, with those of the warm-up
    std::uint64_t foreign = 0;                                 ///< replies that the step's rule does not select
    std::uint64_t surplus = 0;                                 ///< replies that no step waited for
    std::uint64_t late = 0;                                    ///< replies to a flow that rests after a failure
    /// Of all sessions begun; also those still running.
    std::uint64_t lost() const { return sessions - completed; }

    static constexpr auto table() {
        return std::to_array<Counter<ScenarioCounters>>({
            {"sessions", &ScenarioCounters::sessions},
            {"completed", &ScenarioCounters::completed},
            {"wrong", &ScenarioCounters::wrong},
            {"timed_out", &ScenarioCounters::timed_out},
            {"unended", &ScenarioCounters::unended},
            {"waited", &ScenarioCounters::waited},
            {"datagrams_sent", &ScenarioCounters::datagrams_sent},
            {"datagrams_received", &ScenarioCounters::datagrams_received},
            {"foreign", &ScenarioCounters::foreign},
            {"surplus", &ScenarioCounters::surplus},
            {"late", &ScenarioCounters::late},
        });
    }
};
static_assert(lists_every_counter<ScenarioCounters>());

/// What became of a row of the scenario. Warm-up excluded.
struct ScenarioRowCounters {
    std::uint64_t sent = 0;  ///< a further expect: how often it was waited for
    std::uint64_t answered = 0;
    std::uint64_t wrong = 0;
    std::uint64_t timed_out = 0;
};

/// The endpoint of `ringpost latency --scenario`. The first step of a session is due with the session, a later one when
/// the reply before it arrived, and a wait makes it due later. A reply is measured from when its step was due, a
/// session from when it was due until its last step. A session that is due while no flow is free begins when one is.
///
/// A session whose reply is wrong or missing fails. Its flow then rests for twice the time that the reply was waited
/// for, so that a late one is not taken for a reply to the next session.
class ScenarioRunner {
  public:
    struct Event {};  ///< none; see counters() and the histograms

    explicit ScenarioRunner(const ScenarioOptions& options);
    /// Moves start and stop, see Prober.
    void postpone(Duration by);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const;

    /// Begins no session due at or after `at`; an earlier stop time is kept.
    void stop(Instant at) { options_.stop = std::min(options_.stop, at); }
    Instant stop() const { return options_.stop; }
    /// Whether sessions may still begin.
    bool begins(Instant now) const;
    /// Whether none may begin any more, and all have ended.
    bool finished(Instant now) const { return !begins(now) && active_ == 0; }
    /// Open loop: sessions due before the stop time and within the count that did not begin. Those of the warm-up are
    /// excluded. Final once begins() is false.
    std::uint64_t unsent() const;
    /// Sessions that run.
    std::uint32_t active() const { return active_; }

    /// ScenarioOptions::start if there was none.
    Instant last_begun_at() const { return last_begun_at_; }
    Instant last_ended_at() const { return last_ended_at_; }
    const ScenarioCounters& counters() const { return counts_; }
    std::span<const ScenarioRowCounters> rows() const { return rows_; }
    std::span<const Histogram> row_times() const { return row_times_; }
    /// Of complete sessions. Service is the response, had each datagram left when it was due; slip is how late the
    /// first one left. Both in an open loop only: in a closed one, sessions are due when they begin.
    const Histogram& response() const { return response_; }
    const Histogram& service() const { return service_; }
    const Histogram& slip() const { return slip_; }

  private:
    enum class Stage : std::uint8_t {
        free,
        sending,   ///< in ready_
        replying,  ///< its timer is the timeout
        waiting,   ///< its timer is the end of the wait
        resting,   ///< its timer is the end of the rest
    };
    struct Flow {
        Instant due = 0;         ///< of the session
        Instant step_due = 0;    ///< of the current step
        Duration late = 0;       ///< how much earlier the step would be due, had each datagram left when it was due
        Duration late_sent = 0;  ///< the same of the last datagram
        std::uint64_t session = 0;
        std::array<std::uint64_t, limits::scenario_replies_max> keys{};  ///< that select replies to the last datagram
        std::array<std::uint32_t, limits::scenario_depth_max> rounds{};  ///< left, of each open repeat
        std::uint32_t sent = 0;                                          ///< datagrams of all sessions
        std::uint16_t step = 0;                                          ///< of Scenario::steps()
        Stage stage = Stage::free;
        bool measured = false;
        bool begun = false;  ///< the session has sent
    };
    enum class Failure : std::uint8_t { wrong, timed_out, unended };

    bool open_loop() const { return options_.rate_per_s > 0; }
    bool has_more() const { return counts_.sessions < options_.count; }
    Instant closing() const;
    bool is_due(Instant now) const;
    void begin_session(Instant now);
    /// Goes on to the next step that sends or waits, or to the end of the session.
    void proceed(std::uint32_t index, Instant now);
    void expect_reply(std::uint32_t index, Instant now);
    bool enter_repeat(std::uint32_t index);
    bool repeats(std::uint32_t index, const ScenarioStep& step) const;
    void complete(std::uint32_t index, Instant now);
    void fail(std::uint32_t index, Instant now, Failure failure);
    void set_free(std::uint32_t index);
    std::size_t write(std::uint32_t index, Instant now, std::span<std::byte> out);
    void set_keys(Flow& flow, std::span<const std::byte> sent);
    std::uint64_t key_of(const MatchRule& rule, std::span<const std::byte> bytes, std::size_t offset) const;
    bool selects(const ScenarioStep& step, const Flow& flow, std::span<const std::byte> reply) const;
    bool accepts(std::uint32_t index, const ScenarioStep& step, std::span<const std::byte> reply);

    const ScenarioStep& step_of(const Flow& flow) const { return steps_[flow.step]; }
    Duration within(const ScenarioStep& step) const { return step.time > 0 ? step.time : options_.timeout; }
    std::byte* variables_of(std::uint32_t index) {
        return variables_bytes_ == 0 ? nullptr : &variables_[index * variables_bytes_];
    }
    const std::byte* variables_of(std::uint32_t index) const {
        return variables_bytes_ == 0 ? nullptr : &variables_[index * variables_bytes_];
    }

    ScenarioOptions options_;
    std::span<const ScenarioStep> steps_;
    Schedule schedule_;
    ZeroedArray<Flow> flows_;
    std::size_t variables_bytes_;  ///< of a flow
    ZeroedArray<std::byte> variables_;
    RingQueue<std::uint32_t> free_, ready_;  ///< flows; the one that was free for longest is used first
    TimerWheel timers_;                      ///< one of each flow
    std::uint64_t begun_ = 0;                ///< sessions, with those of the warm-up
    std::uint32_t active_ = 0;               ///< the same, running
    Instant starved_at_;                     ///< when a session was last due without a free flow
    bool stopped_ = false;                   ///< handle_timeout() has been called at or after closing()
    Instant last_begun_at_, last_ended_at_;
    ScenarioCounters counts_;
    std::vector<ScenarioRowCounters> rows_;
    std::vector<Histogram> row_times_;
    Histogram response_, service_, slip_;
};

}  // namespace ringpost::traffic
