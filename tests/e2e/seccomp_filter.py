"""Filters of system calls (seccomp), for tests of what a command does without them. Not on every machine permitted."""

import ctypes
import struct

from support import die_with_parent, libc

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO = 0x00050000
BPF_LD_W_ABS, BPF_JEQ, BPF_RET = 0x20, 0x15, 0x06
NUMBER, FIRST_ARGUMENT = 0, 16  # where the call has them


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def program(action, calls):
    """A filter with an action for some calls: each is a number, or a number and its first argument. The kernel copies it;
    the memory lives as long as the object."""
    steps = []
    for call, *argument in calls:
        chosen = [(BPF_RET, 0, 0, action)]
        if argument:
            chosen = [(BPF_LD_W_ABS, 0, 0, FIRST_ARGUMENT), (BPF_JEQ, 0, 1, *argument), *chosen]
        steps += [(BPF_LD_W_ABS, 0, 0, NUMBER), (BPF_JEQ, 0, len(chosen), call), *chosen]
    steps.append((BPF_RET, 0, 0, SECCOMP_RET_ALLOW))
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    memory = ctypes.create_string_buffer(code, len(code))
    made = Program(len(steps), ctypes.addressof(memory))
    made.keeps = memory
    return made


def refuse(error, *calls):
    """A preexec function that makes calls fail with `error`."""
    filtered = program(SECCOMP_RET_ERRNO | error, calls)

    def install():
        die_with_parent()
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filtered), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")

    return install
