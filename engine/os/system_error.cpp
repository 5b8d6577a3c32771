#include "engine/os/system_error.hpp"

#include <cstring>

namespace ringpost {

Error system_error(const std::string& what, int code) { return {code, what + ": " + std::strerror(code)}; }

}  // namespace ringpost
