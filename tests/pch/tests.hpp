// Precompiled to save time: headers that nearly every test includes. Every file still includes what it uses.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>
