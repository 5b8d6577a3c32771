#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "apps/cli/sizes.hpp"
#include "codec/traffic/match.hpp"
#include "codec/traffic/prober.hpp"

namespace ringpost::apps {

/// The probes of `latency` for servers other than ringpost's echo.
struct ProbeOptions {
    std::optional<std::string> text, hex, file, pcap, preset;
    bool raw = false;
    std::optional<traffic::MatchRule> match;
    traffic::Expectation expected;

    std::optional<traffic::Dialect> dialect;  ///< set by check_probes(); none for ringpost's own frames
    std::uint16_t default_port = 0;           ///< of the preset; 0: --to must name one
    std::string note;                         ///< a note to print before the start, or ""
};

/// Adds --payload, --payload-hex, --payload-file, --payload-raw, --payload-pcap, --match, --expect, --expect-text,
/// --expect-size and --preset, which exclude `size`.
void add_probes(CLI::App& command, ProbeOptions& options, CLI::Option& size);

/// After parsing: reads the file and sets the dialect. A CLI::ValidationError or Failure names option, value and
/// position.
void check_probes(ProbeOptions& options);

/// sizes_text(), or for payloads `29 to 31 B`.
std::string size_text(const ProbeOptions& options, const traffic::Sizes& sizes);

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
