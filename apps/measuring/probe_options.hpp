#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "apps/measuring/payload_options.hpp"
#include "codec/traffic/match.hpp"
#include "codec/traffic/prober.hpp"

namespace ringpost::apps {

/// The probes of `latency` for servers other than ringpost's echo.
struct ProbeOptions : PayloadOptions {
    std::optional<traffic::MatchRule> match;
    traffic::Expectation expected;
};

/// Adds the options of add_payloads(), --match, --expect, --expect-text and --expect-size.
void add_probes(CLI::App& command, ProbeOptions& options, CLI::Option& size);

/// After parsing: reads the payload and sets the dialect. Throws as read_dialect() does.
void check_probes(ProbeOptions& options);

/// How a run uses the keys of its probes.
struct KeyUse {
    double rate = 0;           ///< 0: closed loop
    std::uint32_t window = 0;  ///< closed loop: probes in flight
    std::uint32_t flows = 1;
    Duration timeout = second;  ///< how long a probe may be answered
};

/// The number of flows with which the ids of a preset do not repeat while a probe may be answered; 1 for other probes,
/// whose server may depend on the source port.
std::uint32_t preset_flows(const ProbeOptions& options, double rate, Duration timeout);

/// Adds the counters of foreign probes, and their statuses if replies are checked.
void add_match_counts(Json& counts, const ProbeOptions& options, const traffic::Prober& prober);
/// Makes the run INVALID if replies cannot be attributed to their probes.
void judge_matches(Json& summary, const ProbeOptions& options, const KeyUse& use);
/// The match counters of a summary as a line of text; nothing for our own frames.
std::optional<std::string> match_text(const Json& summary);
/// `NOERROR 20  REFUSED 3`, the most frequent first; nothing if replies are not checked.
std::optional<std::string> statuses_text(const Json& summary);

}  // namespace ringpost::apps
