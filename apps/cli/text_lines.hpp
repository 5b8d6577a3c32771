#pragma once

// Text files that people write, with whatever editor.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::apps {

/// Reads a whole file; the error is the reason.
std::expected<std::string, std::string> contents_of(const std::string& path);

/// The lines of `contents`, without their ends (LF or CR LF) and without a byte order mark; the last one may lack its
/// end. The views are valid as long as `contents` is. The error is the reason.
std::expected<std::vector<std::string_view>, std::string> text_lines(std::string_view contents);

/// Without spaces and tabs at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace ringpost::apps
