#pragma once

// Lines on standard output and standard error. After a signal, output that nobody reads is not waited for.

#include <string>
#include <string_view>

namespace ringpost::apps {

/// Prints a line on standard output. A line that cannot be written is a Failure.
void put_line(const std::string& line);

/// Throws the Failure of a result that cannot be written to standard output.
[[noreturn]] void fail_to_write();

/// Prints on standard error, and drops what cannot be written.
void write_diagnostic(std::string_view text);

/// Prints `ringpost: LINE` on standard error. A line that cannot be written is dropped.
void diagnose(std::string_view line);

}  // namespace ringpost::apps
