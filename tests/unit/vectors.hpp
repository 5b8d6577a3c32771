#pragma once

// tests/vectors.json: what other programs make of the formats.

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace ringpost {

using Json = nlohmann::json;

/// The vectors under `name`. The build says where the file is.
inline Json vectors(const char* name) {
    const char* path = std::getenv("RINGPOST_VECTORS");
    std::ifstream file(path != nullptr ? path : "tests/vectors.json");
    if (!file) throw std::runtime_error("run from the top of the tree, or set RINGPOST_VECTORS to tests/vectors.json");
    return Json::parse(file).at(name);
}

}  // namespace ringpost
