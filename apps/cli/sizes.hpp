#pragma once

// --size of an open loop: one size or a mix of sizes.

#include <string>

#include "codec/traffic/sizes.hpp"

namespace ringpost::apps {

/// `64`, `1400`, `8k`: one size; `64..1400`: all sizes with equal weight; `64:7,576:4,1472:1`: sizes with weights;
/// `imix`. Throws std::invalid_argument, as parse_datagram_size() does.
traffic::Sizes parse_sizes(const std::string& text);

/// `64 B`, `64 to 1400 B`, `imix`, `64:7,576:4,1472:1 B`.
std::string sizes_text(const traffic::Sizes& sizes);

}  // namespace ringpost::apps
