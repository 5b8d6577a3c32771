#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/options.hpp"
#include "apps/cli/sizes.hpp"
#include "apps/measuring/capture.hpp"
#include "codec/traffic/match.hpp"

namespace ringpost::apps {

/// What `load` and `latency` send instead of ringpost's own frames.
struct PayloadOptions {
    std::optional<std::string> text, hex, file, pcap, preset;
    bool raw = false;
    CaptureOptions capture;

    /// Set after parsing, else null. A preset sets all of it, others the payload.
    std::shared_ptr<const traffic::Dialect> dialect;
    std::uint16_t default_port = 0;                       ///< of the preset; 0: --to must name one
    bool replies = true;                                  ///< false: the preset has none
    std::shared_ptr<const traffic::Recording> recording;  ///< of --pcap-timing
    std::string note;                                     ///< a note to print before the start, or ""

    bool any() const { return text || hex || file || pcap || preset; }
};

/// Adds --payload, --payload-hex, --payload-file, --payload-raw, --payload-pcap and --preset, which exclude `size` and
/// each other. Returns those that name a payload, --preset last.
std::vector<CLI::Option*> add_payloads(CLI::App& command, PayloadOptions& options, CLI::Option& size);

/// After parsing: reads the payload. A CLI::ValidationError or Failure names option, value and position.
traffic::Dialect read_dialect(PayloadOptions& options);

/// sizes_text(), or for payloads `29 to 31 B`.
std::string size_text(const PayloadOptions& options, const traffic::Sizes& sizes);

/// Of what is sent.
double mean_bytes(const PayloadOptions& options, const traffic::Sizes& sizes);

}  // namespace ringpost::apps
