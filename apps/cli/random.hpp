#pragma once

#include <sys/random.h>

#include <cstdint>
#include <cstdlib>

#include "codec/base/siphash.hpp"

namespace ringpost::apps {

/// A random value from the kernel.
template <class T>
T random_value() {
    T value;
    if (getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) std::abort();
    return value;
}

inline SipKey random_key() { return {random_value<std::uint64_t>(), random_value<std::uint64_t>()}; }

}  // namespace ringpost::apps
