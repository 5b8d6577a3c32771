#pragma once

#include <cstddef>
#include <cstdint>

namespace ringpost::fuzz {

/// A fuzz target: each file defines one. All are linked into one program, and RINGPOST_FUZZ names the one that it runs.
struct Target {
    using Run = int (*)(const std::uint8_t* data, std::size_t size);

    /// `name` is the file's directory and name, such as `gtudp/endpoint`, and must outlive the process.
    Target(const char* name, Run run);

    const char* name;
    Run run;
    const Target* next;
};

}  // namespace ringpost::fuzz
