#pragma once

// The command line: all subcommands and their options.

#include <functional>
#include <string>
#include <vector>

namespace ringpost::apps {

struct CommandLine {
    std::string text;              ///< to print, if it is one of --help and --version
    std::function<int()> command;  ///< otherwise the chosen subcommand
};

/// Parses the arguments of main(). Throws a Failure with Exit::usage and one line.
CommandLine parse_command_line(int argc, const char* const* argv, const std::string& version);

/// The names of all subcommands.
std::vector<std::string> subcommand_names();

}  // namespace ringpost::apps
