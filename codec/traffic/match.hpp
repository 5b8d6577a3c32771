#pragma once

// Matches replies of third-party servers to probes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <ringpost/counters.hpp>
#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/siphash.hpp"
#include "codec/base/zeroed_array.hpp"
#include "codec/traffic/answers.hpp"
#include "codec/traffic/payload.hpp"

namespace ringpost::traffic {

/// How replies are matched, and its text form:
///     OFFSET:LEN           the reply has LEN bytes (1 to 8) of the probe at the same offset, such as a DNS id
///     OFFSET:LEN@REPLY     ... at offset REPLY of the reply
///     echo                 the reply equals the probe
///     order                replies arrive in the order of the probes
struct MatchRule {
    enum class Kind : std::uint8_t { bytes, echo, order };
    Kind kind = Kind::echo;
    std::uint8_t bytes = 0;          ///< used by Kind::bytes only, like the members below
    std::uint16_t probe_offset = 0;  ///< both offsets are below limits::datagram_bytes_max
    std::uint16_t reply_offset = 0;

    /// Returns nullopt if the text has none of the forms above.
    static std::optional<MatchRule> parse(std::string_view text);
    /// Shorter probes and replies cannot hold the bytes.
    std::size_t probe_bytes_min() const { return std::size_t{probe_offset} + bytes; }
    std::size_t reply_bytes_min() const { return std::size_t{reply_offset} + bytes; }
    bool operator==(const MatchRule&) const = default;
};

/// What is needed to probe a third-party protocol: the content of probes, how to match replies, and what they must be.
struct Dialect {
    Payload payload;
    MatchRule match;
    AnswerCheck check;
    /// Bytes of the probes of a flow that the server sets by AnswerCheck::token(), and until then are 0xff.
    std::uint16_t token_offset = 0, token_bytes = 0;
};

struct Reply {
    enum class Kind : std::uint8_t {
        answer,     ///< to a waiting probe
        late,       ///< to a probe that was given up
        duplicate,  ///< to a probe that was answered
        surplus,    ///< by order: no probe is waiting
        unknown,    ///< matches no recorded probe
    };
    Kind kind = Kind::unknown;
    std::uint64_t sequence = 0;    ///< answer, late, duplicate
    Instant due = 0, sent_at = 0;  ///< as passed to sent()
    /// answer, late: perhaps to an older probe with the same bytes, to which no reply can be attributed for certain.
    bool ambiguous = false;

    /// Whether this is the first reply to a known probe.
    bool answers() const { return kind == Kind::answer || kind == Kind::late; }
    bool operator==(const Reply&) const = default;
};

struct MatchCounters {
    std::uint64_t given_up = 0;  ///< unanswered probes that expired or were replaced by a newer one
    /// Probes sent with the bytes of one that could still be answered: it was waiting, or its reply may have been that
    /// to an older one which was. The newer probe gets the replies.
    std::uint64_t reused = 0;
    std::uint64_t overrun = 0;    ///< waiting probes replaced because more than the capacity were sent since
    std::uint64_t ambiguous = 0;  ///< replies with Reply::ambiguous

    static constexpr auto table() {
        return std::to_array<Counter<MatchCounters>>({
            {"given_up", &MatchCounters::given_up},
            {"reused", &MatchCounters::reused},
            {"overrun", &MatchCounters::overrun},
            {"ambiguous", &MatchCounters::ambiguous},
        });
    }
};
static_assert(lists_every_counter<MatchCounters>());
inline MatchCounters& operator+=(MatchCounters& sum, const MatchCounters& other) {
    for (const auto& row : MatchCounters::table()) sum.*row.member += other.*row.member;
    return sum;
}

/// The most recent probes, and which of them are waiting for a reply. All calls are O(1), expire() per probe given up.
/// Nothing is allocated after construction. A prober with several flows has a matcher for each: replies arrive on the
/// socket of their probe, so bytes and order need to be unambiguous within a flow only.
class Matcher {
  public:
    /// A late reply is taken into account for this many times the time after which a probe is given up.
    static constexpr int late_times = 4;

    /// `key` must be random and secret. `capacity` must be a power of two from 1 to 2^30. `timeout` is how long
    /// the caller waits before it expires a probe.
    Matcher(const MatchRule& rule, const SipKey& key, std::uint32_t capacity = limits::probe_keys_max,
            Duration timeout = second);

    /// Records a probe sent at `now`. Sequences count up from 0, times do not decrease, and the probe has at least
    /// rule.probe_bytes_min() bytes.
    void sent(std::uint64_t sequence, Instant due, Instant now, std::span<const std::byte> probe);

    /// Classifies a reply; its probe is no longer waiting.
    Reply answer(std::span<const std::byte> reply);

    /// Gives up waiting probes sent before `before`. When matching by order, the next reply is then taken for the next
    /// probe's: correct if the reply was lost, wrong if it is only late. The other rules still recognise late replies.
    void expire(Instant before);

    std::uint64_t waiting() const { return waiting_; }
    const MatchCounters& counters() const { return counts_; }

  private:
    enum class State : std::uint8_t { free, waiting, given_up, answered };
    /// Whether a reply may be to an older probe with the same key: one that had expired, or one that was waiting.
    enum class Doubt : std::uint8_t { none, expired, waiting };
    /// Stored at the probe's sequence modulo capacity.
    struct Entry {
        std::uint64_t key = 0;
        Instant due = 0, sent_at = 0;
        std::uint32_t hash = 0;
        State state = State::free;
        bool indexed = false;  ///< the newest probe with its key
        Doubt doubt = Doubt::none;
    };
    static constexpr std::uint32_t none = IndexArray::none;

    std::uint64_t key_of(std::span<const std::byte> bytes, std::size_t offset) const;
    std::uint32_t hash_of(std::uint64_t key) const;
    std::uint32_t slot_of(std::uint64_t key, std::uint32_t hash) const;
    void unindex(std::uint32_t position);
    /// `newer` takes over the bytes of `older`.
    void reuse(Entry& older, Entry& newer);
    void give_up(Entry& entry);
    Reply answer_in_order();
    std::uint64_t sequence_at(std::uint32_t index) const;

    MatchRule rule_;
    SipKey sip_key_;
    std::uint32_t mask_;
    Duration timeout_;
    ZeroedArray<Entry> entries_;
    IndexArray slots_;  ///< twice the capacity; the index of an entry, or none
    std::uint64_t sent_ = 0;
    std::uint64_t oldest_ = 0;  ///< all earlier probes have expired or, by order, been answered
    std::uint64_t waiting_ = 0;
    MatchCounters counts_;
};

}  // namespace ringpost::traffic
