#pragma once

// What --help and the manual pages show of every subcommand: options in groups, their values explained, examples and
// exit codes at the end.

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "apps/cli/failure.hpp"

namespace ringpost::apps {

/// No line of --help is longer.
inline constexpr std::size_t help_columns_max = 99;

/// A line of a list: what is typed, and what it means.
struct HelpRow {
    std::string left, right;
};

struct HelpSection {
    enum class Kind : std::uint8_t { arguments, options, subcommands, values, exit_codes };

    Kind kind;
    std::string heading;
    std::vector<HelpRow> rows;
};

/// What is shown of one command.
struct HelpPage {
    std::string description;
    std::string usage;                  ///< behind the name of the command
    std::vector<HelpSection> sections;  ///< arguments, options by group, subcommands, values
    std::string notes;                  ///< lines of up to help_columns_max; "" for none
    std::vector<std::string> examples;  ///< command lines that parse
    HelpSection exit_codes;
};

struct HelpEnd {
    std::string notes;                  ///< lines of up to help_columns_max; "" for none
    std::vector<std::string> examples;  ///< command lines that parse
    std::vector<Exit> exits;            ///< besides done, usage and the signals
    bool signals = true;                ///< SIGINT and SIGTERM end it with 128 + the number
    bool server = false;                ///< a server, which SIGTERM ends with the exit code of its report
};

/// The formatter of all subcommands. It adds to the description of an option which others it needs or excludes.
class HelpFormatter : public CLI::FormatterBase {
  public:
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;

    void set_end(const CLI::App& command, const HelpEnd& end) { ends_[&command] = end; }
    HelpPage page(const CLI::App& command) const;

  private:
    std::map<const CLI::App*, HelpEnd> ends_;
};

/// Sets what follows the options. The formatter of the command is a HelpFormatter, as of all functions below.
void end_help(CLI::App& command, const HelpEnd& end);
HelpPage help_page(const CLI::App& command);

/// The options as listed: --help last.
std::vector<const CLI::Option*> listed_options(const CLI::App& command);
std::vector<const CLI::Option*> listed_arguments(const CLI::App& command);
std::vector<const CLI::App*> listed_subcommands(const CLI::App& command);

/// `ringpost message send`
std::string path_of(const CLI::App& command);

}  // namespace ringpost::apps
