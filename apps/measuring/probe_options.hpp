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

    std::optional<traffic::Dialect> dialect;  ///< set by check_probes(); none for ringpost's own frames
    std::uint16_t default_port = 0;           ///< of the preset; 0: --to must name one
    std::string note;                         ///< a note to print before the start, or ""
};

/// Adds --payload, --payload-hex, --payload-file, --payload-raw, --payload-pcap, --match and --preset, which exclude
/// `size`.
void add_probes(CLI::App& command, ProbeOptions& options, CLI::Option& size);

/// After parsing: reads the file and sets the dialect. A CLI::ValidationError or Failure names option, value and
/// position.
void check_probes(ProbeOptions& options);

/// sizes_text(), or for payloads `29 to 31 B`.
std::string size_text(const ProbeOptions& options, const traffic::Sizes& sizes);

/// Adds the counters of foreign probes.
void add_match_counts(Json& counts, const traffic::Prober& prober);
/// The same of a summary as a line of text; nothing for our own frames.
std::optional<std::string> match_text(const Json& summary);

}  // namespace ringpost::apps
