#pragma once

#include <cstddef>
#include <span>

#include <ringpost/address.hpp>
#include <ringpost/error.hpp>

namespace ringpost {

/// A TCP connection; owns its descriptor. Non-blocking, with TCP_NODELAY: combine small writes before sending.
/// Tests link another implementation of this class, with a network in memory.
class StreamSocket {
  public:
    StreamSocket() = default;
    /// An unconnected socket.
    static Result<StreamSocket> open(Family family);
    /// Takes ownership of a descriptor from StreamListener::accept(). It inherits the listener's options.
    static StreamSocket accepted(int fd);

    StreamSocket(StreamSocket&& other) noexcept;
    StreamSocket& operator=(StreamSocket&& other) noexcept;
    /// Closes. Sent bytes still reach the peer unless it sends more: unread received bytes make TCP send a reset and
    /// discard its send buffer. Therefore reads and discards what has arrived so far.
    ~StreamSocket();

    bool is_open() const { return fd_ >= 0; }
    int fd() const { return fd_; }

    /// The remote address; Family::none if the connection has ended.
    Address peer() const;
    /// Starts connecting. Returns 0 or a negative errno, usually -EINPROGRESS.
    int connect(const Address& peer) const;
    /// The result of connect(), or the pending error of the connection (SO_ERROR): 0 or a negative errno.
    int result() const;

    /// Return the number of bytes transferred, which may be less than requested, or a negative errno. receive() returns
    /// 0 at the end of the stream.
    int send(std::span<const std::byte> bytes) const;
    int receive(std::span<std::byte> out) const;

  private:
    explicit StreamSocket(int fd) : fd_(fd) {}
    int fd_ = -1;
};

/// A listening TCP socket; owns its descriptor. Non-blocking.
class StreamListener {
  public:
    /// Port 0: chosen by the kernel; the IPv6 wildcard also accepts IPv4. A port with connections in TIME_WAIT can be
    /// bound (SO_REUSEADDR), a port with a listener cannot: `bind 0.0.0.0:4112: Address already in use`.
    static Result<StreamListener> open(const Address& bind);

    StreamListener(StreamListener&& other) noexcept;
    StreamListener& operator=(StreamListener&&) = delete;
    ~StreamListener();

    int fd() const { return fd_; }
    const Address& local() const { return local_; }

    /// The descriptor of the next connection, owned by the caller, or a negative errno.
    int accept() const;

  private:
    explicit StreamListener(int fd) : fd_(fd) {}
    int fd_;
    Address local_;
};

/// The flags for accept4(2), here and in io_uring requests.
extern const int accept_flags;

}  // namespace ringpost
