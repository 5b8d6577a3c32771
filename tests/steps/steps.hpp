#pragma once

#include <cstdint>

namespace ringpost::test {

/// Counts what runs between start and end: a step for each branch of code that is compiled with
/// -fsanitize-coverage=trace-pc, and one for each 8 bytes that are copied, compared or searched. The same for the same
/// input on any machine.
class Steps {
  public:
    Steps();
    ~Steps();
    Steps(const Steps&) = delete;
    Steps& operator=(const Steps&) = delete;

    std::uint64_t count() const;
};

}  // namespace ringpost::test
