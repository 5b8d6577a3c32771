// Precompiled: the large library headers that most apps include. It only saves time; every file includes what it uses.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
