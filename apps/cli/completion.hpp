#pragma once

// Completions of the command line for shells. An option whose values have names, such as a|b|c, completes to them, FILE
// and DIR to files and directories, all other values to nothing.

#include <CLI/CLI.hpp>
#include <string>

namespace ringpost::apps {

/// A script for bash 4 or later that needs no others.
std::string bash_completion(const CLI::App& root);

/// A function for zsh's compinit, to be found as `_ringpost`.
std::string zsh_completion(const CLI::App& root);

}  // namespace ringpost::apps
