#pragma once

// Makes calls of the engine into the kernel and the C library fail. The program is linked with --wrap for each of them.

#include <functional>
#include <optional>
#include <string_view>

namespace ringpost::test {

/// While it exists, the calls `first` to `first + times - 1` of this name, counted from 1 and on all threads, fail with
/// `error`. One at a time.
class FailingCall {
  public:
    FailingCall(std::string_view name, int error, unsigned first, unsigned times = 1);
    ~FailingCall();
    FailingCall(const FailingCall&) = delete;
    FailingCall& operator=(const FailingCall&) = delete;

    /// Whether any call has failed.
    bool reached() const;
};

/// While it exists, it answers the calls of ioctl: 0, or an errno; nullopt: the kernel does. One at a time.
class FakedIoctl {
  public:
    using Answer = std::function<std::optional<int>(unsigned long request, void* argument)>;
    explicit FakedIoctl(Answer answer);
    ~FakedIoctl();
    FakedIoctl(const FakedIoctl&) = delete;
    FakedIoctl& operator=(const FakedIoctl&) = delete;
};

}  // namespace ringpost::test
