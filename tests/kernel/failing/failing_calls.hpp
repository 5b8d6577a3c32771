#pragma once

// Makes calls of the engine into the kernel and the C library fail. The program is linked with --wrap for each of them.

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

}  // namespace ringpost::test
