// A library for LD_PRELOAD. Of the allocations from its start on, on all threads, number $FAILING_ALLOCATION fails, and
// all after it: malloc and its like return null, and operator new calls the new handler. Without one that fails, the
// number of allocations is written to the file $FAILING_ALLOCATION_COUNT.

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> allocations{0};
long failing = 0;  // 0: none
bool started = false;

bool fails() {
    if (!started || ++allocations < failing || failing == 0) return false;
    errno = ENOMEM;
    return true;
}

/// The function that the program would call without this library. dlsym() itself allocates nothing that matters.
template <class Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

void* take_new(void* at) {
    if (at != nullptr) return at;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
    std::abort();  // there is still no memory
}

struct Counting {
    Counting() {
        if (const char* number = std::getenv("FAILING_ALLOCATION")) failing = std::atol(number);
        started = true;
    }
    ~Counting() {
        const char* path = std::getenv("FAILING_ALLOCATION_COUNT");
        const int fd = path == nullptr ? -1 : ::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0) return;
        char text[32];
        const int length = std::snprintf(text, sizeof text, "%ld", allocations.load());
        if (::write(fd, text, static_cast<std::size_t>(length)) < 0) std::abort();
        ::close(fd);
    }
} counting;

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) {
    static auto* const real = next<void*(std::size_t)>("malloc");
    return fails() ? nullptr : real(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
    static auto* const real = next<void*(std::size_t, std::size_t)>("calloc");
    return fails() ? nullptr : real(count, bytes);
}
void* realloc(void* at, std::size_t bytes) {
    static auto* const real = next<void*(void*, std::size_t)>("realloc");
    return fails() ? nullptr : real(at, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    static auto* const real = next<void*(std::size_t, std::size_t)>("aligned_alloc");
    return fails() ? nullptr : real(alignment, bytes);
}

}  // extern "C"

void* operator new(std::size_t bytes) { return take_new(std::malloc(bytes)); }
void* operator new[](std::size_t bytes) { return take_new(std::malloc(bytes)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    const auto aligned = static_cast<std::size_t>(alignment);
    return take_new(std::aligned_alloc(aligned, (bytes + aligned - 1) / aligned * aligned));
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t) noexcept { std::free(at); }
void operator delete(void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { std::free(at); }
