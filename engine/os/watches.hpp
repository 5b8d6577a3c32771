#pragma once

#include <ringpost/error.hpp>

namespace ringpost {

/// What there is to say of a descriptor that is to be watched.
enum class Watched : std::uint8_t {
    watched,
    /// A regular file, /dev/null: reading it never waits, so there is nothing to be told. The owner reads at once.
    always_readable,
};

/// Descriptors of the application's (a pipe, a terminal, rtnetlink) of which it wants to know when they can be read:
/// one epoll set, whose own descriptor is readable while any of them is.
class Watches {
  public:
    static Result<Watches> open();
    Watches(Watches&& other) noexcept;
    Watches& operator=(Watches&&) = delete;
    ~Watches();

    /// The descriptor stays the caller's. The error says why it cannot be watched.
    Result<Watched> add(int fd);
    /// To be called before the descriptor is closed.
    void remove(int fd);

    int fd() const { return fd_; }

  private:
    explicit Watches(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace ringpost
