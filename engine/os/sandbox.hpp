#pragma once

// What a process gives up once it has started, for the rest of its life, so that a fault in what reads the network can
// do less. Two steps, because threads and descriptors are opened in between.

#include <optional>
#include <ringpost/error.hpp>
#include <string>

namespace ringpost {

/// Directories whose files, and those of the directories in them, stay accessible; "" for none.
struct KeptFiles {
    std::string accessible_beneath{};
    std::string readable_beneath{};
};

/// Sets no_new_privs and denies every file that is not open yet (Landlock), for the calling thread and those that it
/// starts; opening one then fails with EACCES. Files opened before stay as they are. Requests of an io_uring are
/// included. The error says why the kernel does not do it; no_new_privs is set all the same.
std::optional<Error> deny_files(const KeptFiles& kept = {});

struct AllowedCalls {
    bool connections = false;  ///< bind, listen, accept and connect
    bool files = false;        ///< open, read, write and remove files, as far as deny_files() leaves some
    bool reading = false;      ///< open files in order to read them, as far as deny_files() leaves some
};

/// Leaves all threads of the process only the system calls of a running engine (seccomp): descriptors, datagrams,
/// memory, time, threads. Calls that open a file fail with EACCES. Any other one, such as execve, writes a line with
/// its number to standard error and ends the process by SIGSYS. The error says why the kernel does not do it.
///
/// A build with sanitizers, which have system calls of their own, does neither step and reports no error.
std::optional<Error> deny_calls(AllowedCalls allowed);

}  // namespace ringpost
