// Precompiled to save time: large headers that most files include. Every file still includes what it uses.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
