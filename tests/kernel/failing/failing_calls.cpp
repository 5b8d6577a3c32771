#include "tests/kernel/failing/failing_calls.hpp"

#include <dirent.h>
#include <ifaddrs.h>
#include <liburing.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <utility>

namespace ringpost::test {
namespace {

std::string_view failing_name;  // set while no other thread runs
int failing_error = 0;
std::atomic<int> until_first{0}, failures_left{0};
std::atomic<bool> any_failed{false};
FakedIoctl::Answer ioctl_answer;

/// Whether this call of `name` fails.
bool fails(std::string_view name) {
    if (name != failing_name || until_first.fetch_sub(1) > 1 || failures_left.fetch_sub(1) < 1) return false;
    any_failed = true;
    errno = failing_error;
    return true;
}

}  // namespace

FailingCall::FailingCall(std::string_view name, int error, unsigned first, unsigned times) {
    failing_error = error;
    until_first = static_cast<int>(first);
    failures_left = static_cast<int>(times);
    any_failed = false;
    failing_name = name;
}

FailingCall::~FailingCall() { failing_name = {}; }

bool FailingCall::reached() const { return any_failed; }

FakedIoctl::FakedIoctl(Answer answer) { ioctl_answer = std::move(answer); }

FakedIoctl::~FakedIoctl() { ioctl_answer = nullptr; }

}  // namespace ringpost::test

// The arguments of a call as `(int a, int b)` and as `(a, b)`. These return -1 and set errno:
#define RINGPOST_WRAP(Result, name, declared, passed)                     \
    extern "C" Result __real_##name declared;                             \
    extern "C" Result __wrap_##name declared;                             \
    extern "C" Result __wrap_##name declared {                            \
        if (ringpost::test::fails(#name)) return static_cast<Result>(-1); \
        return __real_##name passed;                                      \
    }
// These return the error, or its negative:
#define RINGPOST_WRAP_CODE(name, sign, declared, passed)                             \
    extern "C" int __real_##name declared;                                           \
    extern "C" int __wrap_##name declared;                                           \
    extern "C" int __wrap_##name declared {                                          \
        if (ringpost::test::fails(#name)) return sign ringpost::test::failing_error; \
        return __real_##name passed;                                                 \
    }

// The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier)
RINGPOST_WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
RINGPOST_WRAP(int, bind, (int fd, const sockaddr* at, socklen_t length), (fd, at, length))
RINGPOST_WRAP(int, listen, (int fd, int backlog), (fd, backlog))
RINGPOST_WRAP(int, connect, (int fd, const sockaddr* to, socklen_t length), (fd, to, length))
RINGPOST_WRAP(int, setsockopt, (int fd, int level, int option, const void* value, socklen_t length),
              (fd, level, option, value, length))
RINGPOST_WRAP(int, getsockopt, (int fd, int level, int option, void* value, socklen_t* length),
              (fd, level, option, value, length))
RINGPOST_WRAP(int, getsockname, (int fd, sockaddr* out, socklen_t* length), (fd, out, length))
RINGPOST_WRAP(int, getpeername, (int fd, sockaddr* out, socklen_t* length), (fd, out, length))
RINGPOST_WRAP(ssize_t, sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags))
RINGPOST_WRAP(int, epoll_create1, (int flags), (flags))
RINGPOST_WRAP(int, epoll_ctl, (int set, int operation, int fd, epoll_event* event), (set, operation, fd, event))
RINGPOST_WRAP(int, epoll_pwait2,
              (int set, epoll_event* events, int most, const timespec* timeout, const sigset_t* mask),
              (set, events, most, timeout, mask))
RINGPOST_WRAP(int, eventfd, (unsigned value, int flags), (value, flags))
RINGPOST_WRAP(int, getifaddrs, (ifaddrs * *list), (list))
RINGPOST_WRAP(ssize_t, getrandom, (void* out, std::size_t bytes, unsigned flags), (out, bytes, flags))
RINGPOST_WRAP(int, fcntl64, (int fd, int command, long argument), (fd, command, argument))
RINGPOST_WRAP(int, getrlimit64, (int resource, rlimit64* out), (resource, out))
RINGPOST_WRAP(int, madvise, (void* at, std::size_t bytes, int advice), (at, bytes, advice))
RINGPOST_WRAP_CODE(pthread_create, +,
                   (pthread_t * thread, const pthread_attr_t* how, void* (*run)(void*), void* argument),
                   (thread, how, run, argument))
RINGPOST_WRAP_CODE(io_uring_queue_init_params, -, (unsigned entries, io_uring* ring, io_uring_params* parameters),
                   (entries, ring, parameters))
RINGPOST_WRAP_CODE(io_uring_register_buf_ring, -, (io_uring * ring, io_uring_buf_reg* buffers, unsigned flags),
                   (ring, buffers, flags))
RINGPOST_WRAP_CODE(io_uring_register_eventfd, -, (io_uring * ring, int fd), (ring, fd))
RINGPOST_WRAP_CODE(io_uring_submit_and_wait, -, (io_uring * ring, unsigned count), (ring, count))
RINGPOST_WRAP_CODE(io_uring_submit, -, (io_uring * ring), (ring))

extern "C" int __real_getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** out);
extern "C" int __wrap_getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** out);
extern "C" int __wrap_getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** out) {
    return ringpost::test::fails("getaddrinfo") ? EAI_SYSTEM : __real_getaddrinfo(node, service, hints, out);
}

extern "C" int __real_ioctl(int fd, unsigned long request, void* argument);
extern "C" int __wrap_ioctl(int fd, unsigned long request, void* argument);
extern "C" int __wrap_ioctl(int fd, unsigned long request, void* argument) {
    if (ringpost::test::fails("ioctl")) return -1;
    if (ringpost::test::ioctl_answer)
        if (const auto answer = ringpost::test::ioctl_answer(request, argument)) {
            errno = *answer;
            return *answer == 0 ? 0 : -1;
        }
    return __real_ioctl(fd, request, argument);
}

extern "C" void* __real_mmap64(void* at, std::size_t bytes, int protection, int flags, int fd, off64_t offset);
extern "C" void* __wrap_mmap64(void* at, std::size_t bytes, int protection, int flags, int fd, off64_t offset);
extern "C" void* __wrap_mmap64(void* at, std::size_t bytes, int protection, int flags, int fd, off64_t offset) {
    return ringpost::test::fails("mmap64") ? MAP_FAILED : __real_mmap64(at, bytes, protection, flags, fd, offset);
}

extern "C" DIR* __real_opendir(const char* path);
extern "C" DIR* __wrap_opendir(const char* path);
extern "C" DIR* __wrap_opendir(const char* path) {
    return ringpost::test::fails("opendir") ? nullptr : __real_opendir(path);
}
// NOLINTEND(bugprone-reserved-identifier)
