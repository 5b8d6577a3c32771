#pragma once

// The one assertion of the project. It guards our own invariants, never what a peer sent, and it stays on in
// release: a broken invariant that goes on running costs its user more than the branch does.

#include <cstdio>
#include <cstdlib>

namespace ringpost::detail {

/// Says on stderr where and what failed, then aborts. Called by RINGPOST_CHECK only. Cold and out of line, so that
/// a check costs the caller one predicted branch.
[[noreturn, gnu::cold, gnu::noinline]] inline void check_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, expression);
    std::abort();
}

}  // namespace ringpost::detail

/// Aborts the process with file, line and expression when `condition` is false. The condition is evaluated exactly
/// once, in every build.
#define RINGPOST_CHECK(condition)                      \
    (__builtin_expect(static_cast<bool>(condition), 1) \
         ? void(0)                                     \
         : ::ringpost::detail::check_failed(#condition, __FILE__, __LINE__))
