// From some size on memory is mapped. calloc would do if every allocator knew which of its memory is zero; mimalloc 2
// writes the zeros, and with them touches every page. AddressSanitizer would mark every byte. With it, mapped memory
// ends at a page that cannot be read or written.

#include "codec/base/zeroed_array.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "codec/base/allocated.hpp"
#include "codec/base/check.hpp"
#include "codec/base/sanitizer.hpp"

namespace ringpost {
namespace {

constexpr std::size_t mapped_bytes_min = 65'536;
constexpr std::size_t mapped_page_bytes = 4'096, alignment_max = 64;
constexpr std::size_t guard_bytes = address_sanitizer ? mapped_page_bytes : 0;

bool is_mapped(std::size_t bytes) { return bytes >= mapped_bytes_min; }

/// Bytes that are mapped in front of `bytes`, so that these end at the guard.
std::size_t bytes_before(std::size_t bytes) {
    return address_sanitizer
               ? (mapped_page_bytes - bytes % mapped_page_bytes) % mapped_page_bytes / alignment_max * alignment_max
               : 0;
}
std::size_t mapped_bytes(std::size_t bytes) {
    const std::size_t used = bytes_before(bytes) + bytes;
    return (used + mapped_page_bytes - 1) / mapped_page_bytes * mapped_page_bytes + guard_bytes;
}

/// Null without memory.
void* map(std::size_t bytes) {
    const std::size_t all = mapped_bytes(bytes);
    void* const at = mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return nullptr;
    if (guard_bytes > 0) mprotect(static_cast<std::byte*>(at) + all - guard_bytes, guard_bytes, PROT_NONE);
    return static_cast<std::byte*>(at) + bytes_before(bytes);
}

void unmap(void* at, std::size_t bytes) {
    munmap(static_cast<std::byte*>(at) - bytes_before(bytes), mapped_bytes(bytes));
}

}  // namespace

void* allocate_zeroed(std::size_t bytes, std::size_t alignment) {
    RINGPOST_CHECK(alignment <= alignment_max);
    return allocated([bytes, alignment]() -> void* {
        if (is_mapped(bytes)) return map(bytes);
        if (alignment <= alignof(std::max_align_t)) return std::calloc(std::max<std::size_t>(bytes, 1), 1);
        const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
        void* const at = std::aligned_alloc(alignment, std::max(rounded, alignment));
        return at == nullptr ? nullptr : std::memset(at, 0, bytes);
    });
}

void free_zeroed(void* at, std::size_t bytes) {
    if (is_mapped(bytes))
        unmap(at, bytes);
    else
        std::free(at);
}

}  // namespace ringpost
