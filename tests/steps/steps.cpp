#include "tests/steps/steps.hpp"

#include <cstddef>

#if defined(__clang__)
#define RINGPOST_UNCOUNTED __attribute__((no_sanitize("coverage")))
#else
#define RINGPOST_UNCOUNTED __attribute__((no_sanitize_coverage))
#endif

namespace {

bool counting = false;
std::uint64_t steps = 0;

RINGPOST_UNCOUNTED void count_bytes(std::size_t bytes) {
    if (counting) steps += bytes / 8 + 1;
}

}  // namespace

// The compiler calls it at each branch, the linker calls the others instead of those of the C library.
extern "C" {

RINGPOST_UNCOUNTED void __sanitizer_cov_trace_pc() {
    if (counting) ++steps;
}

void* __real_memcpy(void* to, const void* from, std::size_t bytes);
RINGPOST_UNCOUNTED void* __wrap_memcpy(void* to, const void* from, std::size_t bytes) {
    count_bytes(bytes);
    return __real_memcpy(to, from, bytes);
}

void* __real_memmove(void* to, const void* from, std::size_t bytes);
RINGPOST_UNCOUNTED void* __wrap_memmove(void* to, const void* from, std::size_t bytes) {
    count_bytes(bytes);
    return __real_memmove(to, from, bytes);
}

int __real_memcmp(const void* left, const void* right, std::size_t bytes);
RINGPOST_UNCOUNTED int __wrap_memcmp(const void* left, const void* right, std::size_t bytes) {
    count_bytes(bytes);
    return __real_memcmp(left, right, bytes);
}

void* __real_memchr(const void* at, int wanted, std::size_t bytes);
RINGPOST_UNCOUNTED void* __wrap_memchr(const void* at, int wanted, std::size_t bytes) {
    void* const found = __real_memchr(at, wanted, bytes);
    count_bytes(found == nullptr ? bytes
                                 : static_cast<std::size_t>(static_cast<char*>(found) - static_cast<const char*>(at)));
    return found;
}
}

namespace ringpost::test {

Steps::Steps() {
    steps = 0;
    counting = true;
}
Steps::~Steps() { counting = false; }
std::uint64_t Steps::count() const { return steps; }

}  // namespace ringpost::test
