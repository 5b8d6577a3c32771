#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/measure/histogram.hpp"
#include "codec/traffic/frame.hpp"
#include "codec/traffic/match.hpp"
#include "codec/traffic/schedule.hpp"
#include "codec/traffic/sequence_window.hpp"
#include "codec/traffic/sizes.hpp"

namespace ringpost::traffic {

struct ProberOptions {
    Sizes sizes = Sizes::fixed(64);  ///< of our own frames; at least frame_bytes_min
    std::uint64_t sizes_seed = 0;    ///< of mixed sizes
    std::uint32_t stream = 0;        ///< drawn at random: replies to anybody else's probes are told apart
    double rate_per_s = 0;           ///< open loop; 0 is a closed one, where an answer makes room for the next probe
    Arrivals arrivals = Arrivals::fixed;
    std::uint64_t arrivals_seed = 0;
    std::uint32_t burst = 1;               ///< of a fixed rate: so many are due at once
    const RateProfile* profile = nullptr;  ///< instead of the rate, which is then only > 0; must stay
    /// Of the schedule's datagrams, this one's are number share_index and every share_of-th after it.
    std::size_t share_index = 0, share_of = 1;
    std::uint32_t window = 1;         ///< closed loop: probes in flight, 1 to limits::probes_in_flight_max
    Duration give_up_after = second;  ///< an unanswered probe is then lost, and in a closed loop makes room
    Instant start = 0;
    /// What is due so soon after the start is sent and answered, but neither counted nor measured.
    Duration warm_up = 0;
    Instant stop = never;              ///< no probe due at or after it is sent
    std::uint64_t count = UINT64_MAX;  ///< probes to be measured
    /// Foreign probes: what they carry, and how their replies are told. Must stay. Null: our own frames.
    const Dialect* dialect = nullptr;
    SipKey key{};                  ///< of the table of foreign probes: drawn at random
    std::uint32_t flows = 1;       ///< sockets that probes leave by in turn; replies may arrive at any of them
    SocketIndex first_socket = 0;  ///< of the flows; theirs follow each other
    Address destination{};         ///< of every probe, by sockets that are not connected; Family::none: their peer
    bool stamps = false;           ///< the sockets stamp: path() and pickup() are measured too
    bool histograms = true;        ///< false: nothing is measured, only counted, to see what measuring costs
};

struct ProberCounters {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;  ///< everything that came back; the rest are parts of it
    std::uint64_t duplicate = 0;
    std::uint64_t reordered = 0;  ///< replies overtaken by a later one
    std::uint64_t corrupt = 0;    ///< came back changed
    std::uint64_t foreign = 0;    ///< frames of another run or sender, or such as we have not sent; replies to no probe
    std::uint64_t late = 0;       ///< replies to foreign probes that had been given up; measured all the same
    std::uint64_t surplus = 0;    ///< foreign probes, by order: replies that no probe waited for
    /// Open loop: measured replies that service() lacks, for limits::probes_in_flight_max probes had left since.
    std::uint64_t service_unknown = 0;
    /// ProberOptions::stamps: measured replies that path() and pickup() lack, for they had no stamp, or none that can
    /// be: before the probe left or after the reply was handed over (the wall clock has been set), or the probe is
    /// forgotten.
    std::uint64_t unstamped = 0;
    /// sent == (received - duplicate - corrupt - foreign - surplus) + lost, once the last reply has had its time.
    std::uint64_t lost() const { return sent - (received - duplicate - corrupt - foreign - surplus); }
};

/// The endpoint of `ringpost latency`: round trips against anything that returns a datagram unchanged, or by foreign
/// probes against any server. Of several replies to one probe, as a multicast group's members give, the first is
/// measured and the others are duplicates. A response runs from when its probe was due, so that a stall counts against
/// every probe it delayed; the service it got, from when the probe left.
class Prober {
  public:
    struct Event {};  ///< it has none: ask counters() and the histograms

    explicit Prober(const ProberOptions& options);
    /// Moves start and stop by so much. For a prober that must be ready at a start which is not known when it is made:
    /// its tables take longer to make than what is left by then. Before anything else is called.
    void postpone(Duration by);

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const;

    /// From here on missing() counts the probes sent so far: those that are not answered. What is sent later may only
    /// be under way.
    void mark() {
        marked_ = next_;
        missing_ = counts_.lost();
    }
    std::uint64_t missing() const { return missing_; }

    /// No probe due at or after `at` is sent, where ProberOptions::stop is later.
    void stop(Instant at) { options_.stop = std::min(options_.stop, at); }
    /// Probes are due until then; `never` where only their number ends them.
    Instant stop() const { return options_.stop; }
    /// Something may still be sent.
    bool sends(Instant now) const { return has_more() && now < options_.stop; }
    /// Nothing more will be sent, and either everything was answered or `linger` has passed since the last was sent.
    bool finished(Instant now, Duration linger) const;

    /// ProberOptions::start while nothing has been sent.
    Instant last_sent_at() const { return last_sent_at_; }
    /// When a probe was last answered for the first time; ProberOptions::start while none was.
    Instant last_answered_at() const { return last_answered_at_; }
    /// When the probe that was sent last was due; and, in an open loop, when the first is that was not sent.
    Instant last_due() const { return next_ == 0 ? options_.start : probe(next_ - 1).due; }
    Instant next_due() const { return schedule_.next(); }
    const ProberCounters& counters() const { return counts_; }
    const Histogram& response() const { return response_; }
    /// Open loop only: in a closed one a probe is due when it leaves.
    const Histogram& service() const { return service_; }
    const Histogram& slip() const { return slip_; }
    /// ProberOptions::stamps only, in either loop: from when the probe left to the stamp of its reply, and from there
    /// to when the reply was handed over: how long it waited for this program.
    const Histogram& path() const { return path_; }
    const Histogram& pickup() const { return pickup_; }
    /// Of foreign probes; null for our own frames.
    const MatchCounters* match_counts() const { return matcher_ ? &matcher_->counters() : nullptr; }

  private:
    struct Probe {
        Instant due = 0;
        Instant sent_at = 0;
        bool open = false;  ///< in flight, in a closed loop
    };
    struct Answer {
        std::uint64_t sequence = 0;
        Instant due = 0;
        std::optional<Instant> sent_at;  ///< nothing when too many have left since
        bool late = false;               ///< it had been given up
    };

    bool open_loop() const { return options_.rate_per_s > 0; }
    bool has_more() const { return counts_.sent < options_.count; }
    bool may_send(Instant now) const;
    bool is_ours(const Frame& frame) const;
    void settle(std::uint64_t sequence);
    void measure(Instant now, const Answer& answer, Instant stamped_at);
    /// Writes the next probe and returns its size.
    std::size_t write_probe(std::span<std::byte> out, Instant due, Instant now);
    /// The probe that is answered; nothing, counted, when none is.
    std::optional<Answer> recognise_frame(std::span<const std::byte> bytes);
    std::optional<Answer> recognise_reply(Instant now, std::span<const std::byte> bytes);

    Probe& probe(std::uint64_t sequence) { return probes_[sequence % limits::probes_in_flight_max]; }
    const Probe& probe(std::uint64_t sequence) const { return probes_[sequence % limits::probes_in_flight_max]; }
    bool remembers(std::uint64_t sequence) const { return next_ - sequence <= limits::probes_in_flight_max; }

    ProberOptions options_;
    FrameWriter writer_;  ///< of the largest size
    SplitMix64 size_random_;
    std::optional<Matcher> matcher_;  ///< of foreign probes
    Schedule schedule_;
    std::vector<Probe> probes_;      ///< the latest, by sequence
    std::uint64_t next_ = 0;         ///< sequence of the next probe
    std::uint64_t warmed_up_ = 0;    ///< sequence of the first that is measured
    std::uint64_t oldest_open_ = 0;  ///< closed loop: everything before it is settled
    std::uint32_t in_flight_ = 0;    ///< closed loop
    bool stopped_ = false;           ///< a timeout has come at or after options_.stop: no more are needed
    Instant last_sent_at_, last_answered_at_;
    ProberCounters counts_;
    std::uint64_t marked_ = 0, missing_ = 0;
    SequenceWindow window_;
    Histogram response_, service_, slip_, path_, pickup_;
};

}  // namespace ringpost::traffic
