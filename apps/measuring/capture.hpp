#pragma once

#include <string>

#include "codec/traffic/payload.hpp"

namespace ringpost::apps {

/// Adds the payload of every UDP datagram in a capture (pcap or pcapng), in order. Returns a line with their number and
/// what was skipped. A Failure names `where`.
std::string read_capture(traffic::Payload& payload, const std::string& where, const std::string& path);

}  // namespace ringpost::apps
