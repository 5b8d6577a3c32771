#pragma once

#include <cstddef>

namespace ringpost {

/// The limit on open descriptors (RLIMIT_NOFILE), and how many are open.
std::size_t descriptors_max();
std::size_t descriptors_open();

}  // namespace ringpost
