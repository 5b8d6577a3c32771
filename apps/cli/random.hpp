#pragma once

#include <cstdint>

#include "codec/base/siphash.hpp"
#include "engine/os/random.hpp"

namespace ringpost::apps {

inline SipKey random_key() { return {random_value<std::uint64_t>(), random_value<std::uint64_t>()}; }

}  // namespace ringpost::apps
