#pragma once

// --size of an open loop: one size, or a mix of them.

#include <string>

#include "codec/traffic/sizes.hpp"

namespace ringpost::apps {

/// `64`, `1400`, `64k`; `64..1400`, each size alike; `imix`; `64:7,576:4,1472:1`, sizes with weights. As parse_size
/// does, throws std::invalid_argument.
traffic::Sizes parse_sizes(const std::string& text);

/// `64 B`, `64 to 1400 B`, `imix`, `64:7,576:4,1472:1 B`.
std::string sizes_text(const traffic::Sizes& sizes);

}  // namespace ringpost::apps
