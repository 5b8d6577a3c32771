#include "tests/sim/devices_play.hpp"
