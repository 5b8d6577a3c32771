#include "apps/cli/failure.hpp"

#include "apps/cli/memory.hpp"
#include "engine/os/waker.hpp"
#include "engine/udp/socket_errors.hpp"

namespace ringpost::apps {

void fail_with(const Error& error) {
    throw Failure(is_unreachable(error.code) ? Exit::unreachable : Exit::failed, error.text);
}

const char* meaning(int code) {
    switch (code) {
        case Exit::done: return "done";
        case Exit::failed: return "failed: something was not delivered, confirmed or answered as asked";
        case Exit::usage: return "wrong usage";
        case Exit::breach: return "a bound was breached (--fail-if, compare)";
        case Exit::unreachable: return "the peer cannot be reached";
        case Exit::cannot_tell:
            return "the run cannot decide: INVALID, too few runs, or a bound fails by lateness alone";
        default: return "ended by SIGINT, or by SIGTERM or SIGHUP";
    }
}

int exit_code(int code) {
    if (out_of_memory()) return Exit::failed;
    return received_signal() != 0 ? 128 + received_signal() : code;
}

}  // namespace ringpost::apps
