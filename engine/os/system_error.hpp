#pragma once

#include <ringpost/error.hpp>
#include <string>

namespace ringpost {

/// "WHAT: strerror(code)", as in `bind 0.0.0.0:5005: Address already in use`. Names the limit that was reached, if any:
/// `open a UDP socket: Too many open files (ulimit -n 64)`.
Error system_error(const std::string& what, int code);
/// The same for the error of creating a thread.
Error thread_error(const std::string& what, int code);

}  // namespace ringpost
