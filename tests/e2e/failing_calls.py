"""Lets one system call of a command fail. The kernel asks this process about each of them (seccomp's notifications).

Only calls after the start of main() count: the command's first is an fcntl() of standard input.
"""

import collections
import ctypes
import errno
import fcntl
import mmap
import os
import platform
import select
import struct
import threading
import time

import seccomp_filter
from support import die_with_parent, libc

SYS_seccomp, SYS_pidfd_open, SYS_pidfd_getfd = 317, 434, 438  # of x86-64
SYS_fcntl = 72
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER = 1, 8
SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND = 0xC0502100, 0xC0182101
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
NOTIFICATION = struct.Struct("QIIiIQ6Q")
RESPONSE = struct.Struct("QqiI")
supported = platform.machine() == "x86_64"

# The number of a call, and how it fails. Not those that glibc takes to be infallible, such as futex and rt_sigaction.
CALLS = {
    "read": (0, errno.EIO), "write": (1, errno.ENOSPC), "close": (3, errno.EIO), "poll": (7, errno.ENOMEM),
    "lseek": (8, errno.EOVERFLOW), "mmap": (9, errno.ENOMEM), "mprotect": (10, errno.ENOMEM),
    "munmap": (11, errno.ENOMEM), "brk": (12, errno.ENOMEM), "ioctl": (16, errno.ENOTTY), "pread64": (17, errno.EIO),
    "writev": (20, errno.ENOSPC), "access": (21, errno.ENOMEM), "mremap": (25, errno.ENOMEM),
    "madvise": (28, errno.ENOMEM), "dup2": (33, errno.EBUSY), "socket": (41, errno.EMFILE),
    "connect": (42, errno.ENETUNREACH), "sendto": (44, errno.ENOBUFS), "recvfrom": (45, errno.ENOMEM),
    "sendmsg": (46, errno.ENOBUFS), "recvmsg": (47, errno.ENOMEM), "shutdown": (48, errno.ENOTCONN),
    "bind": (49, errno.EADDRNOTAVAIL), "listen": (50, errno.EADDRINUSE), "getsockname": (51, errno.ENOBUFS),
    "setsockopt": (54, errno.ENOBUFS), "getsockopt": (55, errno.ENOPROTOOPT), "clone": (56, errno.EAGAIN),
    "fork": (57, errno.EAGAIN), "vfork": (58, errno.EAGAIN), "uname": (63, errno.EFAULT), "fcntl": (72, errno.EIO),
    "fsync": (74, errno.EIO), "ftruncate": (77, errno.ENOSPC), "getcwd": (79, errno.ENOENT),
    "rename": (82, errno.ENOSPC), "mkdir": (83, errno.ENOSPC), "unlink": (87, errno.EIO), "chmod": (90, errno.EPERM),
    "getrusage": (98, errno.EFAULT), "prctl": (157, errno.EINVAL), "setpgid": (109, errno.EPERM),
    "statfs": (137, errno.EIO), "sched_setaffinity": (203, errno.EINVAL), "sched_getaffinity": (204, errno.EINVAL),
    "getdents64": (217, errno.EIO), "epoll_ctl": (233, errno.ENOSPC), "openat": (257, errno.EMFILE),
    "mkdirat": (258, errno.ENOSPC), "newfstatat": (262, errno.EIO), "unlinkat": (263, errno.EIO),
    "accept4": (288, errno.EMFILE), "eventfd2": (290, errno.EMFILE), "epoll_create1": (291, errno.EMFILE),
    "pipe2": (293, errno.EMFILE), "recvmmsg": (299, errno.ENOMEM), "prlimit64": (302, errno.EPERM),
    "sendmmsg": (307, errno.ENOBUFS), "seccomp": (317, errno.EINVAL), "getrandom": (318, errno.EINTR),
    "statx": (332, errno.EIO), "io_uring_setup": (425, errno.ENOMEM), "io_uring_enter": (426, errno.ENOMEM),
    "io_uring_register": (427, errno.ENOMEM), "clone3": (435, errno.EAGAIN), "epoll_pwait2": (441, errno.ENOMEM),
    "landlock_create_ruleset": (444, errno.EOPNOTSUPP), "landlock_restrict_self": (446, errno.E2BIG),
}
NAMES = {number: name for name, (number, _) in CALLS.items()}


class Calls:
    """Counts the calls of a command started with `preexec`, or lets the `number`th of `failing` fail."""

    def __init__(self, failing=None, number=1):
        self.counts = collections.Counter()
        self.failing, self.number, self.started = failing, number, False
        numbers = {CALLS[failing][0], SYS_fcntl} if failing else NAMES.keys()
        self.program = seccomp_filter.program(SECCOMP_RET_USER_NOTIF, ((number,) for number in numbers))
        self.shared = mmap.mmap(-1, mmap.PAGESIZE)  # the command's process and its listener, which this process takes
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def preexec(self):
        die_with_parent()
        libc.prctl(seccomp_filter.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        listener = libc.syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                                ctypes.byref(self.program))
        self.shared[4:12] = struct.pack("Ii", os.getpid(), listener)
        self.shared[0] = 1
        while self.shared[0] == 1:
            pass
        if listener < 0:
            raise OSError("seccomp")

    def serve(self):
        while self.shared[0] == 0:
            time.sleep(0.0001)
        process, remote = struct.unpack("Ii", self.shared[4:12])
        handle = libc.syscall(SYS_pidfd_open, process, 0)
        listener = libc.syscall(SYS_pidfd_getfd, handle, remote, 0)
        self.shared[0] = 2
        os.close(handle)
        if listener < 0:
            return
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while poll.poll()[0][1] & select.POLLIN:
            self.answer(listener)
        os.close(listener)  # the command has ended

    def answer(self, listener):
        asked = bytearray(NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, asked)
            identity, _, _, call, _, _, *arguments = NOTIFICATION.unpack(asked)
            error = self.error_of(NAMES[call], arguments)
            fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND,
                        RESPONSE.pack(identity, 0, -error, 0 if error else SECCOMP_USER_NOTIF_FLAG_CONTINUE))
        except OSError:  # the caller has ended meanwhile
            pass

    def error_of(self, name, arguments):
        if not self.started:
            self.started = name == "fcntl" and arguments[0] == 0 and arguments[1] == fcntl.F_GETFD
            return 0
        self.counts[name] += 1
        return CALLS[name][1] if (name, self.counts[name]) == (self.failing, self.number) else 0
