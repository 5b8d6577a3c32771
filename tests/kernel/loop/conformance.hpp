#pragma once

// Tests of the contract in backend.hpp. Each runs four times: on both backends, polling and sleeping.

#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {

template <class AnyBackend, Duration any_sleep>
struct Case {
    using Backend = AnyBackend;
    /// When sleeping, so long that a test which continues only on timeout has failed.
    static constexpr Duration sleep = any_sleep;
};
using Cases = ::testing::Types<Case<UringBackend, 0>, Case<UringBackend, patience>, Case<MmsgBackend, 0>,
                               Case<MmsgBackend, patience>>;
struct CaseNames {
    template <class AnyCase>
    static std::string GetName(int) {
        return std::string(AnyCase::Backend::name) + (AnyCase::sleep == 0 ? "_polling" : "_sleeping");
    }
};

template <class AnyCase>
class Conformance : public ::testing::Test {
  protected:
    using Backend = typename AnyCase::Backend;
    static constexpr Duration sleep = AnyCase::sleep;

    void SetUp() override {
        if (auto opened = Backend::open({}); !opened) GTEST_SKIP() << opened.error().text;
    }
    Driven<Backend> open(const EngineOptions& options = {}) { return Driven<Backend>(sleep, options); }
};

}  // namespace ringpost::test
