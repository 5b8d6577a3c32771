#pragma once

#include <vector>

#include "apps/cli/options.hpp"
#include "codec/traffic/answers.hpp"

namespace ringpost::apps {

/// Adds --expect, --expect-text and --expect-size. Returns them.
std::vector<CLI::Option*> add_expectations(CLI::App& command, traffic::Expectation& expected);

/// After parsing. Rejects bytes that do not fit into the expected size.
void check_expectation(const traffic::Expectation& expected);

}  // namespace ringpost::apps
