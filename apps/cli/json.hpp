#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "apps/cli/report.hpp"

namespace ringpost::apps {

/// What a JSON text may have. A member of a Json is found by a search through all, and copies recurse, so both are
/// bounded.
struct JsonLimits {
    std::size_t depth = 16;
    std::size_t members = 1'024;  ///< of one object
};

/// Parses a file's JSON text in time linear in its size. A member that is there twice is an error. The error is the
/// reason.
std::expected<Json, std::string> parse_json(std::string_view text, JsonLimits limits = {});

}  // namespace ringpost::apps
