// Precompiled for the unit tests, of which many read the vectors.

#include <nlohmann/json.hpp>

#include "tests/pch/tests.hpp"
