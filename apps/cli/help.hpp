#pragma once

// --help of every subcommand: options in groups, their values explained, examples and exit codes at the end.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "apps/cli/failure.hpp"

namespace ringpost::apps {

/// No line of --help is longer.
inline constexpr std::size_t help_columns_max = 99;

/// The formatter of all subcommands. It adds to the description of an option which others it needs or excludes.
class HelpFormatter : public CLI::FormatterBase {
  public:
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

struct HelpEnd {
    std::string notes;                  ///< lines of up to help_columns_max; "" for none
    std::vector<std::string> examples;  ///< command lines that parse
    std::vector<Exit> exits;            ///< besides done, usage and the signals
    bool signals = true;                ///< SIGINT and SIGTERM end it with 128 + the number
};
/// Sets what follows the options.
void end_help(CLI::App& command, const HelpEnd& end);

}  // namespace ringpost::apps
