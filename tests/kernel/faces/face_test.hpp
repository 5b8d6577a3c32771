#pragma once

// What the tests of engine/api share: engines and messengers on loopback, on either backend.

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include <ringpost/messenger.hpp>
#include <ringpost/threaded_messenger.hpp>
#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {

/// The ThreadSanitizer makes everything some ten times slower: there, that much less of it.
#if defined(__SANITIZE_THREAD__)
inline constexpr std::uint32_t scale = 1;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr std::uint32_t scale = 1;
#else
inline constexpr std::uint32_t scale = 10;
#endif
#else
inline constexpr std::uint32_t scale = 10;
#endif

/// A test for each backend; skipped where the kernel refuses io_uring.
class OnBackend : public ::testing::TestWithParam<BackendChoice> {
  protected:
    void SetUp() override {
        if (GetParam() != BackendChoice::uring) return;
        if (auto opened = UringBackend::open({}); !opened) GTEST_SKIP() << opened.error().text;
    }
    /// On 127.0.0.1, and patient: a machine busy with other things makes nothing be given up.
    static gtudp::OpenOptions options() {
        gtudp::OpenOptions options{.bind = loopback_v4(), .backend = GetParam()};
        options.protocol.resending.data_sends_max = 255;
        return options;
    }
    static gtudp::ThreadedMessenger open_engine(const gtudp::OpenOptions& chosen) {
        return gtudp::ThreadedMessenger::open(chosen).value();
    }
    static gtudp::ThreadedMessenger open_engine() { return open_engine(options()); }
    static gtudp::Messenger open_messenger(const gtudp::OpenOptions& chosen) {
        return gtudp::Messenger::open(chosen).value();
    }
    static gtudp::Messenger open_messenger() { return open_messenger(options()); }
};

inline std::string backend_name(const ::testing::TestParamInfo<BackendChoice>& info) {
    return info.param == BackendChoice::uring ? "uring" : "mmsg";
}
#define RINGPOST_ON_BOTH_BACKENDS(Suite) \
    INSTANTIATE_TEST_SUITE_P(Both, Suite, ::testing::Values(BackendChoice::uring, BackendChoice::mmsg), backend_name)

/// The number that numbered() has put in front.
inline std::uint32_t number_of(std::span<const std::byte> bytes) {
    std::uint32_t number = UINT32_MAX;
    if (bytes.size() >= sizeof number) std::memcpy(&number, bytes.data(), sizeof number);
    return number;
}

}  // namespace ringpost::test
