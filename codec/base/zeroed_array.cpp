// From some size on memory is mapped. calloc would do if every allocator knew which of its memory is zero; mimalloc 2
// writes the zeros, and with them touches every page. With AddressSanitizer all memory is from calloc, since it finds
// errors only in what it allocates itself.

#include "codec/base/zeroed_array.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "codec/base/allocated.hpp"
#include "codec/base/sanitizer.hpp"

namespace ringpost {
namespace {

constexpr std::size_t mapped_bytes_min = address_sanitizer ? SIZE_MAX : 65'536;

bool is_mapped(std::size_t bytes) { return bytes >= mapped_bytes_min; }

/// Null without memory.
void* map(std::size_t bytes) {
    void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? nullptr : at;
}

}  // namespace

ZeroedMemory::ZeroedMemory(std::size_t bytes)
    : at_(allocated(
          [bytes] { return is_mapped(bytes) ? map(bytes) : std::calloc(std::max<std::size_t>(bytes, 1), 1); })),
      bytes_(bytes) {}

ZeroedMemory::~ZeroedMemory() {
    if (is_mapped(bytes_))
        munmap(at_, bytes_);
    else
        std::free(at_);
}

}  // namespace ringpost
