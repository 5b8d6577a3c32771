// Preloaded into a command, lets one of its allocations fail: that of the number $RINGPOST_FAILING_ALLOCATION, counted
// from the start of main(), of which the first call is an fcntl() of standard input. At the end it writes how many
// there were to the file $RINGPOST_ALLOCATIONS.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<bool> started{false};
std::atomic<long> allocations{0};
long failing = 0;
int counted = -1;  // the file, opened before the command gives up files

/// libseccomp 2.5 reports success when an allocation of it fails, and its filter then ends the process. Nobody else can
/// know, so its allocations do not fail here.
bool is_of_libseccomp(const void* caller) {
    Dl_info object{};
    return dladdr(caller, &object) != 0 && std::strstr(object.dli_fname, "libseccomp") != nullptr;
}

/// Whether the allocation of this caller fails.
bool fails(const void* caller) {
    if (!started || is_of_libseccomp(caller) || ++allocations != failing) return false;
    errno = ENOMEM;
    return true;
}

/// The function of this name that would be called otherwise.
template <class Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int control(int fd, int command, void* argument) {
    if (fd == STDIN_FILENO && command == F_GETFD && !started) {
        if (const char* number = std::getenv("RINGPOST_FAILING_ALLOCATION")) failing = std::atol(number);
        if (const char* path = std::getenv("RINGPOST_ALLOCATIONS")) counted = open(path, O_WRONLY | O_CREAT, 0600);
        started = true;
    }
    return static_cast<int>(syscall(SYS_fcntl, fd, command, argument));
}

[[gnu::destructor]] void write_count() {
    if (counted >= 0) dprintf(counted, "%ld\n", allocations.load());
}

}  // namespace

extern "C" {

// Both have a third argument or ignore it.
int preloaded_fcntl(int fd, int command, void* argument) __asm__("fcntl");
int preloaded_fcntl(int fd, int command, void* argument) { return control(fd, command, argument); }
int preloaded_fcntl64(int fd, int command, void* argument) __asm__("fcntl64");
int preloaded_fcntl64(int fd, int command, void* argument) { return control(fd, command, argument); }

void* malloc(std::size_t bytes) {
    static const auto real = next<void*(std::size_t)>("malloc");
    return fails(__builtin_return_address(0)) ? nullptr : real(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) {
    static const auto real = next<void*(std::size_t, std::size_t)>("calloc");
    return fails(__builtin_return_address(0)) ? nullptr : real(count, bytes);
}

void* realloc(void* memory, std::size_t bytes) {
    static const auto real = next<void*(void*, std::size_t)>("realloc");
    return fails(__builtin_return_address(0)) ? nullptr : real(memory, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    static const auto real = next<void*(std::size_t, std::size_t)>("aligned_alloc");
    return fails(__builtin_return_address(0)) ? nullptr : real(alignment, bytes);
}

int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) {
    static const auto real = next<int(void**, std::size_t, std::size_t)>("posix_memalign");
    return fails(__builtin_return_address(0)) ? ENOMEM : real(out, alignment, bytes);
}

}  // extern "C"
