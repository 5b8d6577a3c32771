// Precompiled for the tests of the apps: the large headers that those include.

#include "apps/pch/apps.hpp"

#include "tests/pch/tests.hpp"
