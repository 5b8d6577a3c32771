#pragma once

#include <ringpost/byte_order.hpp>
