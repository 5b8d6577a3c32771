#pragma once

#include <expected>
#include <string>

namespace ringpost::apps {

/// Whether a file of these contents is a gzip file (RFC 1952).
bool is_gzip(const std::string& contents);
/// The contents of all members of a gzip file; the error is the reason.
std::expected<std::string, std::string> gunzip(const std::string& contents);

}  // namespace ringpost::apps
