#pragma once

// Which probe a reply answers, for servers that know nothing of our frames.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/base/siphash.hpp"
#include "codec/traffic/payload.hpp"

namespace ringpost::traffic {

/// How to tell:
///     OFFSET:LEN           LEN bytes (1 to 8) of the probe come back in the reply at the same offset, as a DNS id does
///     OFFSET:LEN@REPLY     ... at offset REPLY of the reply
///     echo                 the reply is the probe, byte for byte
///     order                replies come in the order of the probes
struct MatchRule {
    enum class Kind : std::uint8_t { bytes, echo, order };
    Kind kind = Kind::echo;
    std::uint8_t bytes = 0;          ///< the rest: of Kind::bytes only
    std::uint16_t probe_offset = 0;  ///< below limits::datagram_bytes_max, as is reply_offset
    std::uint16_t reply_offset = 0;

    /// Nothing when the text is none of the above.
    static std::optional<MatchRule> parse(std::string_view text);
    /// Probes and replies shorter than these cannot hold the bytes.
    std::size_t probe_bytes_min() const { return std::size_t{probe_offset} + bytes; }
    std::size_t reply_bytes_min() const { return std::size_t{reply_offset} + bytes; }
    bool operator==(const MatchRule&) const = default;
};

/// What probes carry and how their replies are told: all that a foreign protocol needs.
struct Dialect {
    Payload payload;
    MatchRule match;
};

struct Reply {
    enum class Kind : std::uint8_t {
        answer,     ///< of a probe that waited for it
        late,       ///< of a probe that had been given up
        duplicate,  ///< of a probe that had been answered
        surplus,    ///< by order: no probe waits; a late or second reply
        stranger,   ///< of no probe that is remembered
    };
    Kind kind = Kind::stranger;
    std::uint64_t sequence = 0;    ///< of an answer, a late one or a duplicate
    Instant due = 0, sent_at = 0;  ///< what sent() was told of it

    /// The first reply to a probe that is known.
    bool answers() const { return kind == Kind::answer || kind == Kind::late; }
    bool operator==(const Reply&) const = default;
};

struct MatchCounters {
    std::uint64_t given_up = 0;  ///< expired, or one of the next two, without an answer until then
    std::uint64_t reused = 0;    ///< a newer probe had the same bytes: replies are taken for the newer one's
    std::uint64_t overrun = 0;   ///< more than the capacity were sent since
};

/// The newest probes, and which of them waits for a reply. Every call is O(1), expire() per probe that it gives up, and
/// none allocates after construction.
class Matcher {
  public:
    /// Allocates everything. `key` as for every table: drawn at random once per process. `capacity`: a power of two
    /// from 1 to 2^30 (checked).
    Matcher(const MatchRule& rule, const SipKey& key, std::uint32_t capacity = limits::probe_keys_max);

    /// A probe leaves at `now`, never before an earlier one: the next in sequence from 0 (checked), at least
    /// rule.probe_bytes_min() long (checked).
    void sent(std::uint64_t sequence, Instant due, Instant now, std::span<const std::byte> probe);

    /// What a reply is; its probe waits no longer.
    Reply answer(std::span<const std::byte> reply);

    /// Gives up what was sent before `before` and still waits. By order, the next reply then is the next
    /// probe's, rightly if the reply was lost, wrongly if it is only late. Otherwise a late reply is still told.
    void expire(Instant before);

    std::uint64_t waiting() const { return waiting_; }
    const MatchCounters& counters() const { return counts_; }

  private:
    enum class State : std::uint8_t { free, waiting, given_up, answered };
    /// Of the probe whose sequence modulo capacity is its index.
    struct Entry {
        std::uint64_t key = 0;
        Instant due = 0, sent_at = 0;
        std::uint32_t hash = 0;
        State state = State::free;
        bool indexed = false;  ///< it is the newest with its key
    };
    static constexpr std::uint32_t none = UINT32_MAX;

    std::uint64_t key_of(std::span<const std::byte> bytes, std::size_t offset) const;
    std::uint32_t hash_of(std::uint64_t key) const;
    std::uint32_t slot_of(std::uint64_t key, std::uint32_t hash) const;
    void unindex(std::uint32_t position);
    void give_up(Entry& entry);
    Reply answer_in_order();
    std::uint64_t sequence_at(std::uint32_t index) const;

    MatchRule rule_;
    SipKey sip_key_;
    std::uint32_t mask_;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> slots_;  ///< twice as many: the index of an entry, or none
    std::uint64_t sent_ = 0;
    std::uint64_t oldest_ = 0;  ///< every probe before it has expired or, by order, been answered
    std::uint64_t waiting_ = 0;
    MatchCounters counts_;
};

}  // namespace ringpost::traffic
