#include "apps/cli/failure.hpp"

#include "engine/os/waker.hpp"
#include "engine/udp/socket_errors.hpp"

namespace ringpost::apps {

void fail_with(const Error& error) {
    throw Failure(is_unreachable(error.code) ? Exit::unreachable : Exit::failed, error.text);
}

int exit_code(int code) { return received_signal() != 0 ? 128 + received_signal() : code; }

}  // namespace ringpost::apps
