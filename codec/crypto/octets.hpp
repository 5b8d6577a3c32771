#pragma once

// The libraries take unsigned char.

#include <cstddef>

namespace ringpost::crypto {

inline const unsigned char* octets(const std::byte* at) { return reinterpret_cast<const unsigned char*>(at); }
inline unsigned char* octets(std::byte* at) { return reinterpret_cast<unsigned char*>(at); }

}  // namespace ringpost::crypto
