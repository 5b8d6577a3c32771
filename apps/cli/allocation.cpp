// `new` and `delete` of the command: an allocation that fails is repeated for as long as the handler of `new` returns.
// Those of mimalloc, if the command is linked with it, would not call the handler.

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "codec/base/allocated.hpp"

namespace {

void* allocate(std::size_t bytes) {
    return ringpost::allocated([bytes] { return std::malloc(std::max<std::size_t>(bytes, 1)); });
}

void* allocate(std::size_t bytes, std::align_val_t alignment) {
    const auto boundary = static_cast<std::size_t>(alignment);
    const std::size_t rounded = (std::max<std::size_t>(bytes, 1) + boundary - 1) / boundary * boundary;
    return ringpost::allocated([=] { return std::aligned_alloc(boundary, rounded); });
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return allocate(bytes, alignment); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return allocate(bytes, alignment); }

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
