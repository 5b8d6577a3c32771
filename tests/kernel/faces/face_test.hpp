#pragma once

// Shared by the tests of the public interfaces: messengers on loopback, on both backends.

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstring>
#include <string>
#include <vector>

#include <ringpost/gtudp.hpp>
#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {

/// Work factor. ThreadSanitizer is about ten times slower, so it gets a tenth.
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

/// Runs each test on both backends; skips io_uring if it is unavailable.
class OnBackend : public ::testing::TestWithParam<BackendChoice> {
  protected:
    void SetUp() override {
        if (GetParam() != BackendChoice::uring) return;
        if (auto opened = UringBackend::open({}); !opened) GTEST_SKIP() << opened.error().text;
    }
    /// Bound to 127.0.0.1, with so many resends that a busy machine does not make sends expire.
    static gtudp::OpenOptions options() {
        gtudp::OpenOptions options{.bind = loopback_v4(), .engine = {.backend = GetParam()}};
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
#define RINGPOST_ON_BOTH_BACKENDS(Suite)                                                                \
    INSTANTIATE_TEST_SUITE_P(Both, Suite, ::testing::Values(BackendChoice::uring, BackendChoice::mmsg), \
                             ::ringpost::test::backend_name)

/// What is allocated at present, on all threads; unknown with a sanitizer.
inline std::size_t allocated_bytes() {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/// The number in the first bytes of numbered().
inline std::uint32_t number_of(std::span<const std::byte> bytes) {
    std::uint32_t number = UINT32_MAX;
    if (bytes.size() >= sizeof number) std::memcpy(&number, bytes.data(), sizeof number);
    return number;
}

}  // namespace ringpost::test
