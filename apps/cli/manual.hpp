#pragma once

// The manual pages of the command.

#include <CLI/CLI.hpp>
#include <string>

namespace ringpost::apps {

/// The page of a command in the language of man(7), from the same sections as its --help. `version` names the release.
std::string manual_page(const CLI::App& command, const std::string& version);

}  // namespace ringpost::apps
