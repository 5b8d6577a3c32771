// All sockets are non-blocking, close-on-exec and TCP_NODELAY. Results are byte counts or negative errnos, the same as
// in io_uring completions.

#include "engine/tcp/stream_socket.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "engine/os/address.hpp"
#include "engine/os/bind.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost {
namespace {

constexpr std::size_t discarded_bytes_max = 16u << 20;  // more than a receive buffer holds

void set_flag(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

Result<int> open_tcp(Family family) {
    const int domain = family == Family::v4 ? AF_INET : AF_INET6;
    const int fd = ::socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return std::unexpected(system_error("open a TCP socket", errno));
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return fd;
}

int result_of(ssize_t result) { return result < 0 ? -errno : static_cast<int>(result); }

}  // namespace

const int accept_flags = SOCK_CLOEXEC | SOCK_NONBLOCK;

// ---- a connection -----------------------------------------------------------------------------------

Result<StreamSocket> StreamSocket::open(Family family) {
    const auto fd = open_tcp(family);
    if (!fd) return std::unexpected(fd.error());
    return StreamSocket(*fd);
}

StreamSocket StreamSocket::accepted(int fd) { return StreamSocket(fd); }

StreamSocket::StreamSocket(StreamSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

StreamSocket& StreamSocket::operator=(StreamSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

StreamSocket::~StreamSocket() {
    if (fd_ < 0) return;
    // Send the FIN now, even if a request in flight or a forked child still holds the descriptor.
    ::shutdown(fd_, SHUT_WR);
    ::recv(fd_, nullptr, discarded_bytes_max, MSG_TRUNC | MSG_DONTWAIT);
    ::close(fd_);
}

Address StreamSocket::peer() const {
    SocketAddress address;
    socklen_t length = sizeof address;
    return ::getpeername(fd_, &address.any, &length) == 0 ? from_socket_address(address.any) : Address{};
}

int StreamSocket::connect(const Address& peer) const {
    SocketAddress address;
    const socklen_t length = to_socket_address(peer, peer.family, address);
    return result_of(::connect(fd_, &address.any, length));
}

int StreamSocket::result() const {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
    return -error;
}

int StreamSocket::send(std::span<const std::byte> bytes) const {
    return result_of(::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

int StreamSocket::receive(std::span<std::byte> out) const {
    return result_of(::recv(fd_, out.data(), out.size(), MSG_DONTWAIT));
}

// ---- a listener -------------------------------------------------------------------------------------

Result<StreamListener> StreamListener::open(const Address& bind) {
    const auto fd = open_tcp(bind.family);
    if (!fd) return std::unexpected(fd.error());
    StreamListener listener(*fd);
    set_flag(*fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind.family == Family::v6) set_flag(*fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (const int error = bind_socket(*fd, bind.family, bind, PortInUse::waits); error != 0)
        return std::unexpected(system_error("bind " + to_text(bind), error));
    if (::listen(*fd, SOMAXCONN) != 0) return std::unexpected(system_error("listen on " + to_text(bind), errno));
    SocketAddress address;
    socklen_t length = sizeof address;
    if (::getsockname(*fd, &address.any, &length) != 0) return std::unexpected(system_error("getsockname", errno));
    listener.local_ = from_socket_address(address.any);
    return listener;
}

StreamListener::StreamListener(StreamListener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), local_(other.local_) {}

StreamListener::~StreamListener() {
    if (fd_ >= 0) ::close(fd_);
}

int StreamListener::accept() const { return result_of(::accept4(fd_, nullptr, nullptr, accept_flags)); }

}  // namespace ringpost
