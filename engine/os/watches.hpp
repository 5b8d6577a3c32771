#pragma once

#include <ringpost/error.hpp>

namespace ringpost {

/// The result of adding a descriptor.
enum class Watched : std::uint8_t {
    watched,
    /// A regular file or /dev/null: reads never block, and epoll does not support it. Read it immediately.
    always_readable,
};

/// An epoll set for the application's own descriptors (pipe, terminal, rtnetlink). Its descriptor is readable while any
/// of them is.
class Watches {
  public:
    static Result<Watches> open();
    Watches(Watches&& other) noexcept;
    Watches& operator=(Watches&&) = delete;
    ~Watches();

    /// The caller keeps ownership of `fd`.
    Result<Watched> add(int fd);
    /// Call before closing `fd`.
    void remove(int fd);

    int fd() const { return fd_; }

  private:
    explicit Watches(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace ringpost
