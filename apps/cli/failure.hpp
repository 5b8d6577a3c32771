#pragma once

// Errors that end a command: an exit code and one line on standard error.

#include <ringpost/error.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace ringpost::apps {

/// Exit codes of all subcommands. A command ended by a signal exits with 128 + the signal number.
enum Exit : int {
    done = 0,
    failed = 1,
    usage = 2,
    breach = 3,
    unreachable = 4,
    cannot_tell = 5,  ///< the run cannot decide: it is INVALID (--strict), or a bound fails by the sender's lateness
};

/// What an exit code means, for --help.
const char* meaning(int code);

/// Thrown to end a command with one line on standard error.
struct Failure : std::runtime_error {
    Failure(int code, const std::string& text) : std::runtime_error(text), exit_code(code) {}
    int exit_code;
};

/// Throws a Failure with the error's text, with Exit::unreachable if the target was unreachable.
[[noreturn]] void fail_with(const Error& error);

/// Returns the value of `result`, or throws its error as a Failure.
template <class T>
T value_or_fail(Result<T> result) {
    if (!result) fail_with(result.error());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// 128 + the signal number after SIGINT or SIGTERM, else `code`. Of a server: server_exit_code().
int exit_code(int code);

}  // namespace ringpost::apps
