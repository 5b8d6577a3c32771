#pragma once

#include <cstddef>
#include <span>

#include <ringpost/address.hpp>
#include <ringpost/error.hpp>

namespace ringpost {

/// One end of a TCP connection: owns its descriptor, closes it once. It never blocks, and it waits for no more to send
/// (TCP_NODELAY): what is to go together is written together.
/// Tests link another implementation of this class, on a network in memory.
class StreamSocket {
  public:
    StreamSocket() = default;
    /// For a connection to an address of that family.
    static Result<StreamSocket> open(Family family);
    /// Takes over what accept() has returned of a StreamListener, from which it has its settings.
    static StreamSocket accepted(int fd);

    StreamSocket(StreamSocket&& other) noexcept;
    StreamSocket& operator=(StreamSocket&& other) noexcept;
    /// Closes. What the system has taken still reaches the peer, unless that sends more: to bytes that nobody will read
    /// TCP answers with a reset, and forgets what it had to send. So what has come until now is thrown away first.
    ~StreamSocket();

    bool is_open() const { return fd_ >= 0; }
    int fd() const { return fd_; }

    /// The address at the other end; Family::none when the connection is no more.
    Address peer() const;
    /// Begins to connect: 0, or a negative errno, -EINPROGRESS among them.
    int connect(const Address& peer) const;
    /// How that has ended, or what else has befallen the connection: 0 or a negative errno.
    int result() const;

    /// What the system takes or has now: bytes, or a negative errno. 0 bytes received: the peer has sent its last.
    int send(std::span<const std::byte> bytes) const;
    int receive(std::span<std::byte> out) const;

  private:
    explicit StreamSocket(int fd) : fd_(fd) {}
    int fd_ = -1;
};

/// A socket that TCP connections are accepted from.
class StreamListener {
  public:
    /// Port 0: the kernel chooses; a v6 wildcard also takes IPv4. A port that a closed connection still occupies is
    /// taken over (SO_REUSEADDR), one that somebody listens on is not: `bind 0.0.0.0:4112: Address already in use`.
    static Result<StreamListener> open(const Address& bind);

    StreamListener(StreamListener&& other) noexcept;
    StreamListener& operator=(StreamListener&&) = delete;
    ~StreamListener();

    int fd() const { return fd_; }
    const Address& local() const { return local_; }

    /// The next connection's descriptor, or a negative errno.
    int accept() const;

  private:
    explicit StreamListener(int fd) : fd_(fd) {}
    int fd_;
    Address local_;
};

/// How accepted sockets are made, whoever accepts them.
extern const int accept_flags;

}  // namespace ringpost
