#pragma once

#include <string_view>

namespace ringpost {

/// Whether `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing past U+10FFFF).
bool is_utf8(std::string_view text);

}  // namespace ringpost
