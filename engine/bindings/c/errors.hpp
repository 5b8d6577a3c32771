#pragma once

#include <cstdint>
#include <string_view>

#include <ringpost/ringpost.h>
#include <ringpost/error.hpp>

namespace ringpost::c {

/// Longest text of rp_last_error(); the rest is cut.
inline constexpr std::size_t error_text_bytes = 512;

/// Stores the failure for rp_last_error() of this thread and returns `code`. The text is `call: what`.
std::int32_t fail(std::int32_t code, std::string_view call, std::string_view what, int error_number = 0);
/// A failure of the library, as RP_EINVAL where its errno says so, else RP_ESYSTEM.
std::int32_t fail(std::string_view call, const Error& error);

}  // namespace ringpost::c
