// When a process with an io_uring is killed, the kernel dismantles its ring only after the process is gone. Until then,
// usually for less than 10 ms, the ring's requests keep sockets open and their ports in use. A server that is restarted
// at once therefore tries again for a while.

#include "engine/os/bind.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/waker.hpp"

namespace ringpost {
namespace {

constexpr Duration patience = second;
constexpr timespec between_attempts{0, 5 * millisecond};

}  // namespace

int bind_socket(int fd, Family family, const Address& address, PortInUse in_use) {
    SocketAddress wanted;
    const socklen_t length = to_socket_address(address, family, wanted);
    const bool waits = in_use == PortInUse::waits && address.port != 0;
    const Instant give_up_at = now() + patience;
    while (::bind(fd, &wanted.any, length) != 0) {
        const int error = errno;
        if (error != EADDRINUSE || !waits || now() >= give_up_at || received_signal() != 0) return error;
        nanosleep(&between_attempts, nullptr);
    }
    return 0;
}

}  // namespace ringpost
