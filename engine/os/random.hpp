#pragma once

#include <sys/random.h>

#include "codec/base/check.hpp"

namespace ringpost {

/// From getrandom(2), for keys, seeds and identities. T has no padding and few bytes.
template <class T>
T random_value() {
    T value;
    // getrandom() never returns a short count for so few bytes. It fails only if the kernel does not have it.
    RINGPOST_CHECK(getrandom(&value, sizeof value, 0) == static_cast<ssize_t>(sizeof value));
    return value;
}

}  // namespace ringpost
