#pragma once

#include <sys/random.h>

#include <cerrno>

#include "codec/base/check.hpp"

namespace ringpost {

/// Random bytes from the kernel (getrandom(2)). T must have no padding.
template <class T>
T random_value() {
    T value;
    ssize_t got = 0;
    do {
        got = getrandom(&value, sizeof value, 0);
    } while (got < 0 && errno == EINTR);  // a signal, while the kernel of a host that has just started gathers entropy
    // There is never a short count for so few bytes. It fails only if the kernel does not have the call.
    RINGPOST_CHECK(got == static_cast<ssize_t>(sizeof value));
    return value;
}

}  // namespace ringpost
