#pragma once

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
#include "codec/base/zeroed_array.hpp"
#include "codec/measure/histogram.hpp"
#include "codec/traffic/frame.hpp"
#include "codec/traffic/match.hpp"
#include "codec/traffic/receiver_table.hpp"
#include "codec/traffic/schedule.hpp"
#include "codec/traffic/sequence_window.hpp"
#include "codec/traffic/sizes.hpp"

namespace ringpost::traffic {

struct ProberOptions {
    Sizes sizes = Sizes::fixed(64);  ///< of our own frames; at least frame_bytes_min
    std::uint64_t sizes_seed = 0;    ///< of mixed sizes
    std::uint32_t stream = 0;        ///< should be random: identifies replies to our own probes
    double rate_per_s = 0;           ///< open loop; 0: closed loop, in which each answer triggers the next probe
    Arrivals arrivals = Arrivals::fixed;
    std::uint64_t arrivals_seed = 0;
    std::uint32_t burst = 1;               ///< fixed rate: probes due at once
    const RateProfile* profile = nullptr;  ///< replaces the rate, which must then be > 0; must outlive the prober
    const Recording* recording = nullptr;  ///< the same, see ScheduleOptions
    /// Takes number share_index and every share_of-th after it from the schedule.
    std::size_t share_index = 0, share_of = 1;
    std::uint32_t window = 1;   ///< closed loop: probes in flight, 1 to limits::probes_in_flight_max
    Duration timeout = second;  ///< an unanswered probe is then given up; in a closed loop it is replaced
    Instant start = 0;
    /// Probes due within this time are sent and answered, but neither counted nor measured.
    Duration warm_up = 0;
    Instant stop = never;              ///< probes due at or after this time are not sent; see overtime()
    std::uint64_t count = UINT64_MAX;  ///< number of measured probes
    /// Content of third-party probes and how to match replies; must outlive the prober. Null: our own frames.
    const Dialect* dialect = nullptr;
    Duration unix_offset = 0;  ///< of the times in third-party probes, see PayloadValues
    SipKey key{};              ///< of the table of third-party probes; must be random
    /// Sockets that probes use in turn. A third-party probe is answered on its own socket only; {seq} counts within it.
    std::uint32_t flows = 1;
    SocketIndex first_socket = 0;  ///< of the flows, which are consecutive
    Address destination{};         ///< of every probe on unconnected sockets; Family::none: the socket's peer
    bool stamps = false;           ///< the sockets have receive timestamps: path() and pickup() are measured
    bool by_receiver = false;      ///< a multicast group: receivers() has a row for each
    bool histograms = true;        ///< false: count only, to determine the cost of measuring
};

struct ProberCounters {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;  ///< all replies; the counters below are parts of it
    std::uint64_t duplicate = 0;
    std::uint64_t reordered = 0;    ///< replies overtaken by a later one
    std::uint64_t corrupt = 0;      ///< invalid frames
    std::uint64_t foreign = 0;      ///< frames that this run has not sent; replies that match no probe
    std::uint64_t not_a_reply = 0;  ///< part of `foreign`: what Dialect::check rejects, as a query sent back
    /// Dialect::check: replies that are an error; not part of the histograms, but answers otherwise.
    std::uint64_t errors = 0;
    std::uint64_t late = 0;     ///< with a Dialect: replies to probes that had been given up; still measured
    std::uint64_t surplus = 0;  ///< with a Dialect, matched by order: replies that no probe was waiting for
    /// Open loop: measured replies missing from service(), because limits::probes_in_flight_max probes were sent since.
    std::uint64_t service_unknown = 0;
    /// ProberOptions::stamps: measured replies missing from path() and pickup(): without a timestamp, with one before
    /// the probe was sent or after the reply was passed on (the wall clock was stepped), or whose send time is no
    /// longer stored.
    std::uint64_t unstamped = 0;
    /// sent == (received - duplicate - corrupt - foreign - surplus) + lost. Final once no more replies can arrive.
    std::uint64_t lost() const { return sent - (received - duplicate - corrupt - foreign - surplus); }

    static constexpr auto table() {
        return std::to_array<Counter<ProberCounters>>({
            {"sent", &ProberCounters::sent},
            {"received", &ProberCounters::received},
            {"duplicate", &ProberCounters::duplicate},
            {"reordered", &ProberCounters::reordered},
            {"corrupt", &ProberCounters::corrupt},
            {"foreign", &ProberCounters::foreign},
            {"not_a_reply", &ProberCounters::not_a_reply},
            {"errors", &ProberCounters::errors},
            {"late", &ProberCounters::late},
            {"surplus", &ProberCounters::surplus},
            {"service_unknown", &ProberCounters::service_unknown},
            {"unstamped", &ProberCounters::unstamped},
        });
    }
};
static_assert(lists_every_counter<ProberCounters>());

/// The endpoint of `ringpost latency`: measures round trips to anything that echoes datagrams or, with a Dialect, to
/// any server. If a probe has several replies, as from the members of a multicast group, the first is measured and the
/// others are duplicates. Response time is measured from the due time, so a stall counts against every probe it
/// delayed. Service time is measured from the actual send time.
class Prober {
  public:
    struct Event {};  ///< none; see counters() and the histograms

    explicit Prober(const ProberOptions& options);
    /// Moves start and stop. Allows the prober to be constructed before its start time is known, since building its
    /// tables takes long. Must be called before any other function.
    void postpone(Duration by);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const;

    /// Makes missing() report the unanswered ones among the probes sent so far. Later probes may still be in flight.
    void mark() {
        marked_ = next_;
        missing_ = counts_.lost();
    }
    std::uint64_t missing() const { return missing_; }

    /// Sends no probe due at or after `at`; an earlier stop time is kept.
    void stop(Instant at) { options_.stop = std::min(options_.stop, at); }
    /// End of the schedule; `never` if only the count ends it.
    Instant stop() const { return options_.stop; }
    /// Whether probes may still be sent.
    bool sends(Instant now) const;
    /// Whether all probes have been sent and either all were answered or `linger` has passed since the last one.
    bool finished(Instant now, Duration linger) const;
    /// Open loop: probes due before the stop time and within the count that were not sent, because the sender was held
    /// up beyond the end. Those of the warm-up are excluded. Final once sends() is false.
    std::uint64_t unsent() const;

    /// ProberOptions::start if nothing has been sent.
    Instant last_sent_at() const { return last_sent_at_; }
    /// When a first answer to a probe was last received; ProberOptions::start if there was none.
    Instant last_answered_at() const { return last_answered_at_; }
    /// Whether any probe was answered, in the warm-up, too.
    bool answered_any() const { return answered_any_; }
    const ProberCounters& counters() const { return counts_; }
    const Histogram& response() const { return response_; }
    /// Open loop only: in a closed loop, probes are due when they are sent.
    const Histogram& service() const { return service_; }
    const Histogram& slip() const { return slip_; }
    /// With ProberOptions::stamps, in either loop: time from sending a probe to the receive timestamp of its reply, and
    /// from there to handle(), which is how long the reply waited for this program.
    const Histogram& path() const { return path_; }
    const Histogram& pickup() const { return pickup_; }
    /// Of all flows; nullopt for our own frames. Warm-up included.
    std::optional<MatchCounters> match_counts() const;
    /// Third-party probes that wait for an answer or were given up, even if a late reply came. Warm-up included.
    std::uint64_t unanswered() const;
    /// Measured probes, and first answers to them, of each flow.
    std::span<const std::uint64_t> sent_by_flow() const { return sent_by_flow_; }
    std::span<const std::uint64_t> answered_by_flow() const { return answered_by_flow_; }
    /// With ProberOptions::by_receiver, else null. Every reply to a measured probe counts, whatever its status.
    const ReceiverTable* receivers() const { return receivers_ ? &*receivers_ : nullptr; }
    /// How many replies had each of the AnswerCheck's statuses; empty without a Dialect::check.
    std::span<const std::uint64_t> statuses() const { return statuses_; }

  private:
    struct Probe {
        Instant due = 0;
        Instant sent_at = 0;
        bool open = false;  ///< closed loop: in flight
    };
    struct Answer {
        std::uint64_t sequence = 0;
        Instant due = 0;
        std::optional<Instant> sent_at;      ///< nullopt if too many probes have been sent since
        bool late = false;                   ///< the probe had been given up
        std::optional<std::uint8_t> status;  ///< see AnswerCheck::statuses()
    };

    bool open_loop() const { return options_.rate_per_s > 0; }
    bool has_more() const { return counts_.sent < options_.count; }
    bool may_send(Instant now) const {
        if (now < options_.start || !sends(now)) return false;
        return open_loop() ? schedule_.next() <= now : in_flight_ < options_.window;
    }
    /// When nothing is sent any more.
    Instant closing() const;
    bool is_own(const Frame& frame) const;
    void close_probe(std::uint64_t sequence);
    void measure(Instant now, const Answer& answer, Instant stamped_at);
    /// Writes the next probe. Returns its size.
    std::size_t write_probe(std::span<std::byte> out, Instant due, Instant now);
    /// Matches a reply to its probe. Counts the reply and returns nullopt if there is no match.
    std::optional<Answer> match_frame(std::span<const std::byte> bytes);
    std::optional<Answer> match_reply(Instant now, const Datagram& in);
    /// Counts the status of an answer. Returns whether it is a good one.
    bool record_status(const Answer& answer);

    Probe& probe(std::uint64_t sequence) { return probes_[sequence % limits::probes_in_flight_max]; }
    const Probe& probe(std::uint64_t sequence) const { return probes_[sequence % limits::probes_in_flight_max]; }
    bool is_recorded(std::uint64_t sequence) const { return next_ - sequence <= limits::probes_in_flight_max; }

    ProberOptions options_;
    FrameWriter writer_;  ///< for the largest size
    SplitMix64 size_random_;
    std::vector<Matcher> matchers_;        ///< with a Dialect: by flow
    std::vector<std::uint64_t> statuses_;  ///< replies by status
    std::vector<std::byte> tokens_;        ///< of all flows, see Dialect::token_bytes
    Schedule schedule_;
    ZeroedArray<Probe> probes_;      ///< the latest probes, by sequence
    std::uint64_t next_ = 0;         ///< sequence of the next probe
    std::uint64_t warmed_up_ = 0;    ///< sequence of the first measured probe
    std::uint64_t oldest_open_ = 0;  ///< closed loop: no earlier probe is in flight
    std::uint32_t in_flight_ = 0;    ///< closed loop
    bool stopped_ = false;           ///< handle_timeout() has been called at or after closing()
    Instant last_sent_at_, last_answered_at_;
    bool answered_any_ = false;
    ProberCounters counts_;
    std::uint64_t marked_ = 0, missing_ = 0;
    ZeroedArray<std::uint64_t> window_words_;
    SequenceWindow window_;
    std::optional<ReceiverTable> receivers_;
    Histogram response_, service_, slip_, path_, pickup_;
    std::vector<std::uint64_t> sent_by_flow_, answered_by_flow_;
};

}  // namespace ringpost::traffic
