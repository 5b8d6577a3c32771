#pragma once

// Versions are semantic (semver.org). Before 1.0:
//
//   0.y.z -> 0.y.z+1   fixes only: programs need not be compiled again
//   0.y -> 0.y+1       the C++ interface may change: programs are compiled again. One that was linked with another
//   minor
//                      version does not start; the loader names the version that is missing (RINGPOST_0.1)
//
// Stable: what <ringpost/*.hpp> declare outside of `detail`; the C interface, whose version is that of the library's
// name, libringpost.so.0; the wire formats. Not stable: texts of errors and logs, the sets of counters and enumerators,
// to which later minor versions add, and default values.
//
// The headers need C++23 for std::expected, in which every call that can fail returns its error; g++ 12 and clang 19
// (with -std=c++23) have it.

#include <string_view>

#include <ringpost/export.hpp>

namespace ringpost {

/// Of the headers.
inline constexpr int version_major = 0;
inline constexpr int version_minor = 1;
inline constexpr int version_patch = 0;
inline constexpr std::string_view version_text = "0.1.0";

/// Of the library that the program runs with, such as `0.1.0`. Thread-safe.
RINGPOST_API const char* library_version();

}  // namespace ringpost
