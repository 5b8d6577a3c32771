#pragma once

// The one descriptor of a handle without a thread: an epoll(7) set of what its backend waits for and of a timer for the
// endpoint's next deadline. Made when it is first asked for.

#include <ringpost/error.hpp>
#include <ringpost/time.hpp>

namespace ringpost::c {

class Descriptor {
  public:
    Descriptor() = default;
    ~Descriptor();
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    /// Readable whenever `watched` is, or the time of the last arm() has come.
    Result<int> open(int watched);
    bool is_open() const { return set_ >= 0; }
    int fd() const { return set_; }
    /// In the past: readable at once.
    void arm(Instant deadline);

  private:
    int set_ = -1, timer_ = -1;
    Instant armed_ = never;
};

}  // namespace ringpost::c
