#pragma once

#include <ringpost/error.hpp>
#include <string>

namespace ringpost {

/// "WHAT: strerror(code)", as in `bind 0.0.0.0:5005: Address already in use`.
Error system_error(const std::string& what, int code);

}  // namespace ringpost
