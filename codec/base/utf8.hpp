#pragma once

#include <string_view>

namespace ringpost {

/// Whether `text` is valid UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).
bool is_utf8(std::string_view text);

}  // namespace ringpost
