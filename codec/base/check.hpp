#pragma once

// The assertion macro. It guards internal invariants, never input from peers, and stays enabled in release builds:
// running on with a broken invariant costs more than the branch.

#include <cstdio>
#include <cstdlib>

namespace ringpost::detail {

/// Prints location and expression to stderr and aborts. Only called by RINGPOST_CHECK. Cold and out of line, so a check
/// costs the caller one predicted branch.
[[noreturn, gnu::cold, gnu::noinline]] inline void check_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, expression);
    std::abort();
}

}  // namespace ringpost::detail

/// Aborts with file, line and expression if `condition` is false. The condition is evaluated exactly once in every
/// build.
#define RINGPOST_CHECK(condition)                      \
    (__builtin_expect(static_cast<bool>(condition), 1) \
         ? void(0)                                     \
         : ::ringpost::detail::check_failed(#condition, __FILE__, __LINE__))
