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

/// What `latency` sends to servers that are no echo of ours.
struct ProbeOptions {
    std::optional<std::string> text, hex, file, pcap, preset;
    bool raw = false;
    std::optional<traffic::MatchRule> match;

    std::optional<traffic::Dialect> dialect;  ///< set by check_probes(); nothing: our own frames
    std::uint16_t default_port = 0;           ///< of the preset; 0: --to must name one
    std::string note;                         ///< to be said before the start, unless empty
};

/// --payload, --payload-hex, --payload-file, --payload-raw, --payload-pcap, --match and --preset; the payload is what
/// `size` would be.
void add_probes(CLI::App& command, ProbeOptions& options, CLI::Option& size);

/// After parsing: reads the file and makes the dialect. A CLI::ValidationError or Failure names option, value and
/// place.
void check_probes(ProbeOptions& options);

/// sizes_text(), or of payloads `29 to 31 B`.
std::string size_text(const ProbeOptions& options, const traffic::Sizes& sizes);

/// What foreign probes count beside the rest, and that of a summary as a line; nothing for our own frames.
Json match_counts(const traffic::Prober& prober);
std::optional<std::string> match_text(const Json& summary);

}  // namespace ringpost::apps
