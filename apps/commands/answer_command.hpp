#pragma once

#include <atomic>
#include <expected>
#include <string>

#include <ringpost/time.hpp>

namespace ringpost::apps {

/// Runs `command` by /bin/sh, the question on its standard input, and returns its standard output without the last
/// newline; or why there is no answer: it failed, said more than fits a frame, or was not done after `timeout` or when
/// `stopping` became true, and then it is killed with all it has started. To be called from any thread.
std::expected<std::string, std::string> answer_by_command(const std::string& command, const std::string& question,
                                                          Duration timeout, const std::atomic<bool>& stopping);

}  // namespace ringpost::apps
