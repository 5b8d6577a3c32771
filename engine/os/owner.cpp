#include "engine/os/owner.hpp"

#include <sys/mman.h>

namespace ringpost {
namespace {

constexpr std::size_t mark_bytes = 4'096;  // or a whole page of the machine, if that is larger

/// Null if the kernel has no memory for it, or does not wipe it.
const volatile char* marked_page() {
    void* page = mmap(nullptr, mark_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return nullptr;
    if (madvise(page, mark_bytes, MADV_WIPEONFORK) != 0) {
        munmap(page, mark_bytes);
        return nullptr;
    }
    *static_cast<char*>(page) = 1;
    return static_cast<const volatile char*>(page);
}

}  // namespace

ForkMark::ForkMark() : mark_(marked_page()) {}

ForkMark::~ForkMark() {
    if (mark_ != nullptr) munmap(const_cast<char*>(mark_), mark_bytes);
}

}  // namespace ringpost
