// The program of all fuzz targets. They enter a list before main(), which is libFuzzer's. One program instead of one
// for each target: most of the time of a build went into linking the same libraries to each.

#include "tests/fuzz/target.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ringpost::fuzz {
namespace {

const Target* first_target = nullptr;
Target::Run chosen = nullptr;

}  // namespace

Target::Target(const char* its_name, Run its_run) : name(its_name), run(its_run), next(first_target) {
    first_target = this;
}

// Freed memory is kept back, but not so much that each input touches new pages: that would be most of its time.
extern "C" const char* __asan_default_options() {
    return "quarantine_size_mb=1:allocator_release_to_os_interval_ms=-1";
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    const char* wanted = std::getenv("RINGPOST_FUZZ");
    for (const Target* target = first_target; target != nullptr; target = target->next) {
        if (wanted != nullptr && std::strcmp(target->name, wanted) == 0) chosen = target->run;
    }
    if (chosen != nullptr) return 0;
    std::fputs("RINGPOST_FUZZ must name one of\n", stderr);
    for (const Target* target = first_target; target != nullptr; target = target->next) {
        std::fprintf(stderr, "    %s\n", target->name);
    }
    std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return chosen(data, size); }

}  // namespace ringpost::fuzz
