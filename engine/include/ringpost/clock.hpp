#pragma once

#include <ringpost/export.hpp>
#include <ringpost/time.hpp>

namespace ringpost {

/// The clock of every Instant that the library takes and returns: CLOCK_MONOTONIC. Thread-safe.
class RINGPOST_API Clock {
  public:
    static Instant now();
    /// now() + timeout, but `never` if that is later than any Instant.
    static Instant after(Duration timeout);
};

}  // namespace ringpost
