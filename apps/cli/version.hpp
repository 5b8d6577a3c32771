#pragma once

#include <string>

namespace ringpost::apps {

/// The version, with the commit that was built if the source tree is a git repository: `0.1.0 (abc1234)`, and
/// `0.1.0 (abc1234-dirty)` if files had been changed since.
std::string version_text();

}  // namespace ringpost::apps
