#pragma once

// Why a command line does not parse.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ringpost::apps {

/// One line that names the argument at fault and, if there is one, a similar option or subcommand. `app` has parsed the
/// arguments and thrown `error`.
std::string usage_text(const CLI::App& app, const CLI::ParseError& error);

/// The name in `names` that `given` abbreviates or misspells by a letter or two; "" if there is none.
std::string nearest_name(const std::string& given, const std::vector<std::string>& names);

/// The deepest subcommand that was given.
const CLI::App& innermost(const CLI::App& app);

}  // namespace ringpost::apps
