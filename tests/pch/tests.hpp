// Precompiled: what nearly every test includes. It only saves time; every file includes what it uses.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>
