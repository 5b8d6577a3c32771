#pragma once

// A scenario: what one client sends and expects in a session, as a text file with a step a line.
//
//     send "PAYLOAD"                a datagram; see scenario_payload.hpp
//     send hex "ff 00"              the same as hex digits
//     expect [REPLY]... [within TIME] [take NAME=PLACE]...
//                                   a reply to the send above; another expect below it is a second reply. Without
//                                   `within` the run's timeout counts
//     wait TIME                     250us, 1.5ms, 2s, 1m
//     repeat N                      the lines up to the matching `end` N times
//     repeat N while NAME&MASK      as long as the variable has any bit of MASK, at most N times: if it has one after
//                                   that, the session fails
//     end
//
// REPLY selects the reply, and is what it must contain:
//
//     OFFSET:LEN[@REPLY], echo      as MatchRule: any other datagram is ignored
//     "TEXT"                        contains this text, written as a payload without fields; anything else is wrong
//     OFFSET:"TEXT"                 has this text at the offset
//
// PLACE is where the bytes of a variable are. A reply without them is wrong.
//
//     OFFSET:LEN                    at an offset
//     after "TEXT" [up to "TEXT"]   behind the first TEXT, up to the next one or the end
//     coap:OPTION                   the first option of this number in a CoAP message (RFC 7252, 3.1); empty without it
//
// Words are separated by spaces and tabs. # begins a comment where a word could.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"
#include "codec/traffic/answers.hpp"
#include "codec/traffic/match.hpp"
#include "codec/traffic/scenario_payload.hpp"

namespace ringpost::traffic {

struct ScenarioError {
    std::size_t line = 0;  ///< from 1; 0: none in particular
    std::string word;      ///< at fault, as it is in the file; "" if one is missing
    std::string reason;    ///< for users
};

/// Where a variable is in a reply.
struct ScenarioTake {
    enum class Place : std::uint8_t { offset, texts, coap_option };
    Place place = Place::offset;
    std::uint8_t variable = 0;
    std::uint8_t bytes = 0;        ///< Place::offset
    std::uint16_t at = 0;          ///< an offset, or the number of an option
    std::vector<std::byte> after;  ///< Place::texts
    std::vector<std::byte> up_to;  ///< the same; empty: to the end of the reply

    /// The bytes of the variable, at most limits::scenario_variable_bytes_max; nullopt if the reply does not have them.
    std::optional<std::span<const std::byte>> find(std::span<const std::byte> reply) const;
};

struct ScenarioReply {
    std::optional<MatchRule> match;  ///< bytes or echo
    AnswerCheck check;
    std::vector<ScenarioTake> takes;
};

/// A line of a scenario that does something.
struct ScenarioStep {
    enum class Kind : std::uint8_t { send, expect, wait, repeat, end };
    Kind kind = Kind::wait;
    std::uint8_t depth = 0;     ///< repeat, end: how many others are around it
    std::uint8_t slot = 0;      ///< expect: how many are between it and its send
    std::uint8_t variable = 0;  ///< repeat, end: of the condition
    std::uint16_t row = 0;      ///< send, expect: of Scenario::rows()
    std::uint16_t index = 0;    ///< send: of the payload; expect: of the reply; repeat: of its end, and the reverse
    std::uint32_t times = 0;    ///< repeat
    std::uint64_t mask = 0;     ///< repeat, end: of the condition; 0: none
    Duration time = 0;          ///< wait; expect: within, 0: the run's
};

/// A send with its first reply, or a further reply.
struct ScenarioRow {
    std::size_t line = 0;  ///< of the send or the further expect
    std::string text;      ///< that line
};

class Scenario {
  public:
    /// `lines` are without their ends.
    static std::expected<Scenario, ScenarioError> parse(std::span<const std::string_view> lines);

    std::span<const ScenarioStep> steps() const { return steps_; }
    std::span<const ScenarioRow> rows() const { return rows_; }
    std::span<const ScenarioVariable> variables() const { return variables_; }
    const ScenarioPayload& payload_of(const ScenarioStep& send) const { return payloads_[send.index]; }
    const ScenarioReply& reply_of(const ScenarioStep& expect) const { return replies_[expect.index]; }
    /// Of all datagrams.
    std::size_t bytes_min() const { return bytes_min_; }
    std::size_t bytes_max() const { return bytes_max_; }
    /// How long one session waits by itself if each `repeat ... while` has one round.
    Duration waits() const { return waits_; }

  private:
    friend class ScenarioParser;

    std::vector<ScenarioStep> steps_;
    std::vector<ScenarioRow> rows_;
    std::vector<ScenarioVariable> variables_;
    std::vector<ScenarioPayload> payloads_;
    std::vector<ScenarioReply> replies_;
    std::size_t bytes_min_ = 0, bytes_max_ = 0;
    Duration waits_ = 0;
};

/// `250us`, `1.5ms`, `2s`, `1m`, `1h`: at least 1 ns and at most a day.
std::optional<Duration> parse_scenario_time(std::string_view text);

}  // namespace ringpost::traffic
