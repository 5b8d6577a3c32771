// Landlock: a ruleset that handles every access to files that the kernel knows. At most two rules permit some: all but
// execution beneath one directory, and reading beneath another. The kernel's ABI version says how many accesses it
// knows; they are consecutive bits.
//
// seccomp: a list of what may be called, all else traps. libseccomp makes the filter, sorted into a tree. The kernel
// caches for each system call whether the filter always permits it, so those without conditions cost nanoseconds.

#include "engine/os/sandbox.hpp"

#ifdef RINGPOST_NO_SANDBOX

namespace ringpost {

std::optional<Error> deny_files(const KeptFiles&) { return std::nullopt; }
std::optional<Error> deny_calls(AllowedCalls) { return std::nullopt; }

}  // namespace ringpost

#else

#include <fcntl.h>
#include <linux/landlock.h>
#include <net/if.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string_view>

#include "engine/os/clock.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost {
namespace {

/// File accesses that a Landlock ABI handles, from version 1 on.
constexpr unsigned file_accesses[] = {13, 14, 15, 15, 16};

constexpr int always_allowed[] = {
    // descriptors
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fcntl),
    SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2), SCMP_SYS(select),
    SCMP_SYS(pselect6),
    // io_uring, but no new one
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
    // sockets
    SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
    SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
    // memory
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
    // time
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    // threads and signals
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(tgkill),
    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setaffinity), SCMP_SYS(getcpu),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
    // figures
    SCMP_SYS(getrusage), SCMP_SYS(getrandom), SCMP_SYS(uname)};

constexpr int for_connections[] = {SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
                                   SCMP_SYS(connect)};

/// Libraries look for files of which they can do without, such as the number of cores: they get an error.
constexpr int of_files[] = {SCMP_SYS(open),       SCMP_SYS(openat2),   SCMP_SYS(access), SCMP_SYS(faccessat),
                            SCMP_SYS(faccessat2), SCMP_SYS(stat),      SCMP_SYS(lstat),  SCMP_SYS(statx),
                            SCMP_SYS(readlink),   SCMP_SYS(readlinkat)};

/// For what keeps files in a directory.
constexpr int for_files[] = {SCMP_SYS(getdents64), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir),
                             SCMP_SYS(newfstatat)};

/// Collects rules; the first failure is kept.
class Filter {
  public:
    Filter() : context_(seccomp_init(SCMP_ACT_TRAP), seccomp_release) {
        if (context_ == nullptr) return;
        failed_ = 0;
        set(SCMP_FLTATR_CTL_TSYNC, 1);     // all threads
        set(SCMP_FLTATR_CTL_SSB, 1);       // no slower memory for it on kernels before 5.16
        set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree
    }

    template <std::size_t n>
    void allow(const int (&calls)[n]) {
        for (const int call : calls) add(SCMP_ACT_ALLOW, call, {});
    }
    void allow_if(int call, std::initializer_list<scmp_arg_cmp> conditions) { add(SCMP_ACT_ALLOW, call, conditions); }
    void refuse(int error, int call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
        add(SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), call, conditions);
    }

    /// 0 or a negative errno.
    int load() { return failed_ == 0 ? seccomp_load(context_.get()) : failed_; }

  private:
    void set(scmp_filter_attr attribute, std::uint32_t value) {
        // An old kernel may not know one; the filter is as strict without.
        [[maybe_unused]] const int unknown = seccomp_attr_set(context_.get(), attribute, value);
    }
    void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions) {
        if (failed_ != 0) return;
        failed_ = seccomp_rule_add_array(context_.get(), action, call, static_cast<unsigned>(conditions.size()),
                                         conditions.begin());
    }

    std::unique_ptr<void, decltype(&seccomp_release)> context_;
    int failed_ = -ENOMEM;
};

scmp_arg_cmp equals(unsigned argument, std::uint64_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp has_bits(unsigned argument, std::uint64_t mask, std::uint64_t bits) {
    return {argument, SCMP_CMP_MASKED_EQ, mask, bits};
}

/// openat is what the C library opens files by.
void add_opening(Filter& filter, AllowedCalls allowed) {
    constexpr int call = SCMP_SYS(openat);
    constexpr std::uint64_t way = O_ACCMODE | O_CREAT | O_TRUNC;
    if (allowed.files) {
        filter.allow_if(call, {});
    } else if (allowed.reading) {
        filter.allow_if(call, {has_bits(2, way, O_RDONLY)});
        for (const std::uint64_t writing : {std::uint64_t{O_WRONLY}, std::uint64_t{O_RDWR}})
            filter.refuse(EACCES, call, {has_bits(2, O_ACCMODE, writing)});
    } else {
        filter.refuse(EACCES, call);
    }
}

void add_conditional(Filter& filter, AllowedCalls allowed) {
    // No memory that can be executed, so no library either.
    filter.allow_if(SCMP_SYS(mmap), {has_bits(2, PROT_EXEC, 0)});
    filter.allow_if(SCMP_SYS(mprotect), {has_bits(2, PROT_EXEC, 0)});
    // Threads, but no processes. The flags of clone3 are in memory; glibc then uses clone.
    filter.allow_if(SCMP_SYS(clone), {has_bits(0, CLONE_THREAD, CLONE_THREAD)});
    filter.refuse(ENOSYS, SCMP_SYS(clone3));
    for (const int family : {AF_INET, AF_INET6, AF_NETLINK})
        filter.allow_if(SCMP_SYS(socket), {equals(0, static_cast<std::uint64_t>(family))});
    filter.refuse(EACCES, SCMP_SYS(socket), {equals(0, AF_UNIX)});
    for (const std::uint64_t request :
         {std::uint64_t{TCGETS}, std::uint64_t{TIOCGWINSZ}, std::uint64_t{FIONREAD}, std::uint64_t{FIONBIO},
          std::uint64_t{SIOCGIFNAME}, std::uint64_t{SIOCGIFINDEX}})
        filter.allow_if(SCMP_SYS(ioctl), {equals(1, request)});
    for (const int option : {PR_SET_TIMERSLACK, PR_SET_NAME})
        filter.allow_if(SCMP_SYS(prctl), {equals(0, static_cast<std::uint64_t>(option))});
    filter.refuse(EINVAL, SCMP_SYS(prctl), {equals(0, PR_SET_VMA)});  // names of memory
    if (!allowed.files) {
        // glibc's fstat().
        filter.allow_if(SCMP_SYS(newfstatat), {has_bits(3, AT_EMPTY_PATH, AT_EMPTY_PATH)});
        filter.refuse(EACCES, SCMP_SYS(newfstatat), {has_bits(3, AT_EMPTY_PATH, 0)});
    }
    // Limits may be read.
    filter.allow_if(SCMP_SYS(prlimit64), {equals(2, 0)});
}

/// Only writes and raises: async-signal-safe.
void on_refused(int, siginfo_t* info, void*) {
    char digits[12];
    char* first = std::end(digits);
    int number = info->si_syscall;
    do *--first = static_cast<char>('0' + number % 10);
    while ((number /= 10) > 0);
    std::string_view before = "ringpost: sandbox: system call ", after = " is not permitted\n";
    const iovec line[] = {{const_cast<char*>(before.data()), before.size()},
                          {first, static_cast<std::size_t>(std::end(digits) - first)},
                          {const_cast<char*>(after.data()), after.size()}};
    [[maybe_unused]] const ssize_t written = ::writev(STDERR_FILENO, line, std::size(line));
    std::signal(SIGSYS, SIG_DFL);
    std::raise(SIGSYS);
}

/// 0 or -1 with errno. Nothing is permitted beneath "".
long permit_beneath(int ruleset, const std::string& directory, std::uint64_t accesses) {
    if (directory.empty()) return 0;
    const int fd = ::open(directory.c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) return -1;
    const landlock_path_beneath_attr rule{.allowed_access = accesses, .parent_fd = fd};
    const long failed = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, std::uint32_t{0});
    const int error = errno;
    ::close(fd);
    errno = error;
    return failed;
}

}  // namespace

std::optional<Error> deny_files(const KeptFiles& kept) {
    now();  // reads a file the first time
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("no_new_privs", errno);
    const long version = syscall(SYS_landlock_create_ruleset, nullptr, std::size_t{0}, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return system_error("Landlock", errno);
    const auto known = std::min<std::size_t>(static_cast<std::size_t>(version), std::size(file_accesses));
    landlock_ruleset_attr attributes{};
    attributes.handled_access_fs = (std::uint64_t{1} << file_accesses[known - 1]) - 1;
    const auto ruleset = static_cast<int>(
        syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, std::uint32_t{0}));
    if (ruleset < 0) return system_error("Landlock", errno);
    const std::uint64_t permitted = attributes.handled_access_fs & ~std::uint64_t{LANDLOCK_ACCESS_FS_EXECUTE};
    long failed = permit_beneath(ruleset, kept.accessible_beneath, permitted);
    if (failed == 0) failed = permit_beneath(ruleset, kept.readable_beneath, LANDLOCK_ACCESS_FS_READ_FILE);
    if (failed == 0) failed = syscall(SYS_landlock_restrict_self, ruleset, std::uint32_t{0});
    const int error = errno;
    ::close(ruleset);
    if (failed != 0) return system_error("Landlock", error);
    return std::nullopt;
}

std::optional<Error> deny_calls(AllowedCalls allowed) {
    struct sigaction action{};
    action.sa_sigaction = on_refused;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSYS, &action, nullptr);
    Filter filter;
    filter.allow(always_allowed);
    if (allowed.connections) filter.allow(for_connections);
    if (allowed.files) {
        filter.allow(of_files);
        filter.allow(for_files);
    } else {
        for (const int call : of_files) filter.refuse(EACCES, call);
    }
    add_opening(filter, allowed);
    add_conditional(filter, allowed);
    if (const int failed = filter.load(); failed != 0) return system_error("seccomp", -failed);
    return std::nullopt;
}

}  // namespace ringpost

#endif
