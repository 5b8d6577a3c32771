#pragma once

#include <memory>
#include <string>

#include "apps/cli/options.hpp"
#include "codec/traffic/payload.hpp"
#include "codec/traffic/recording.hpp"

namespace ringpost::apps {

/// What is taken of a capture.
struct CaptureOptions {
    bool timing = false;
    double speed = 1;
    std::string to;           ///< "": both directions
    std::uint64_t split = 0;  ///< longer payloads are trains of this size; 0: none is
};

/// --pcap-timing, --pcap-speed, --pcap-to, --pcap-split, which need `pcap`.
void add_capture(CLI::App& command, CaptureOptions& options, CLI::Option& pcap);

struct Capture {
    std::string note;                                     ///< the number of payloads, and what was left out
    std::shared_ptr<const traffic::Recording> recording;  ///< with CaptureOptions::timing
};

/// Adds the payload of every UDP datagram in a capture (pcap or pcapng, perhaps compressed by gzip), in order. A
/// Failure names `where`.
Capture read_capture(traffic::Payload& payload, const std::string& where, const std::string& path,
                     const CaptureOptions& options);

}  // namespace ringpost::apps
