#pragma once

#include <string>

#include "codec/structs/library.hpp"

namespace ringpost::apps {

/// What a library file is, for --help.
inline constexpr const char* library_help =
    "FILE is a JSON object of messages by name, {\"reading\": {\"id\": 1, \"format\": \"<BHIQ\"}, ...}: ids from 0 to "
    "65535, "
    "formats as in Python's struct module (codes b B h H i I l L q Q f d ? c s x, counts, prefixes @ = < > !).";

/// Reads a library file. A Failure names the file, the entry and what is wrong with it.
structs::Library load_library(const std::string& path);

}  // namespace ringpost::apps
