#pragma once

#include <string>
#include <utility>

#include "apps/cli/options.hpp"
#include "engine/loop/open.hpp"

namespace ringpost::apps {

/// Opens the chosen backend and returns what use(loop) returns. Notes a fallback from io_uring to the mmsg backend;
/// throws a Failure if no backend opens.
template <class Use>
auto run_on_loop(const CommonOptions& options, const Report& report, Use&& use) {
    const auto note = [&](const std::string& text) { report.note(text); };
    return value_or_fail(with_loop(options.engine, note, std::forward<Use>(use)));
}

}  // namespace ringpost::apps
