// A handler of `new` that gives back what was set aside; the allocation is then repeated (allocation.cpp).

#include "apps/cli/memory.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "apps/cli/failure.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {
namespace {

/// For the report of a run and its texts.
constexpr std::size_t bytes_aside = 1 << 20;

std::atomic<void*> aside{nullptr};
std::atomic<bool> used{false};

/// Allocates nothing.
void write_line() {
    char line[80];
    rlimit limit{};
    const bool limited = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    const int length = limited ? std::snprintf(line, sizeof line, "ringpost: out of memory (ulimit -v %ju)\n",
                                               static_cast<std::uintmax_t>(limit.rlim_cur / 1024))
                               : std::snprintf(line, sizeof line, "ringpost: out of memory\n");
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line, static_cast<std::size_t>(length));
}

void on_lack_of_memory() {
    if (!used.exchange(true)) write_line();
    void* const memory = aside.exchange(nullptr);
    if (memory == nullptr) ::_exit(Exit::failed);
    std::free(memory);
    record_signal(SIGTERM);
}

/// Before the constructors of static objects, which allocate.
[[gnu::constructor(101)]] void report_lack_of_memory() { std::set_new_handler(on_lack_of_memory); }

}  // namespace

void set_memory_aside() { aside = std::malloc(bytes_aside); }

bool out_of_memory() { return used; }

}  // namespace ringpost::apps
