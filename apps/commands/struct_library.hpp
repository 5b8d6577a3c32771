#pragma once

#include <string>

#include <ringpost/structs/library.hpp>

namespace ringpost::apps {

/// The --help text about library files.
inline constexpr const char* library_help =
    "FILE is a JSON object of messages by name: {\"reading\": {\"id\": 1, \"format\": \"<BHIQ\"}, ...}.\n"
    "An id is 0 to 65535. Formats are those of Python's struct module: codes b B h H i I l L q Q f d ?\n"
    "c s x, counts, prefixes @ = < > !";

/// Reads a library file. Throws a Failure that names the file, the entry and the error.
structs::Library load_library(const std::string& path);

}  // namespace ringpost::apps
