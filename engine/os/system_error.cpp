#include "engine/os/system_error.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace ringpost {
namespace {

/// ` (ulimit -n 64)`; "" if the resource is not limited.
std::string limit_text(__rlimit_resource resource, const char* option, rlim_t unit) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "";
    return " (ulimit -" + std::string(option) + " " + std::to_string(limit.rlim_cur / unit) + ")";
}

constexpr rlim_t kibibyte = 1024;  // the unit of ulimit -v

}  // namespace

Error system_error(const std::string& what, int code) {
    std::string text = what + ": " + std::strerror(code);
    if (code == EMFILE) text += limit_text(RLIMIT_NOFILE, "n", 1);
    if (code == ENFILE) text += " (sysctl fs.file-max)";
    if (code == ENOMEM) text += limit_text(RLIMIT_AS, "v", kibibyte);
    return {code, text};
}

Error thread_error(const std::string& what, int code) {
    if (code != EAGAIN) return system_error(what, code);
    // The kernel reports both limits as EAGAIN.
    return {code, what + ": no more threads" + limit_text(RLIMIT_NPROC, "u", 1) + limit_text(RLIMIT_AS, "v", kibibyte)};
}

}  // namespace ringpost
