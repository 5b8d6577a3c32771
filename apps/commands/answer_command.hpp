#pragma once

#include <atomic>
#include <expected>
#include <string>

#include <ringpost/time.hpp>

namespace ringpost::apps {

/// Runs `command` in /bin/sh with the question on its standard input and returns its standard output without the last
/// newline. The error describes the failure: the command failed, its output exceeds a frame, or it did not finish
/// within `timeout` or before `stopping` became true. The command and its child processes are killed in any case.
/// Thread-safe.
std::expected<std::string, std::string> answer_by_command(const std::string& command, const std::string& question,
                                                          Duration timeout, const std::atomic<bool>& stopping);

}  // namespace ringpost::apps
