#pragma once

// Structures of options: their size is the version of their content.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/ringpost.h>
#include <ringpost/network.hpp>
#include <ringpost/options.hpp>

#include "engine/bindings/c/errors.hpp"
#include "engine/bindings/c/events.hpp"

namespace ringpost::c {

/// Writes the first `size` bytes of `defaults`, and zeros behind it.
template <class Options>
std::int32_t init(std::string_view call, Options* options, std::size_t size, Options defaults) {
    if (options == nullptr) return fail(RP_EINVAL, call, "options is NULL");
    if (size < offsetof(Options, engine) || size > UINT32_MAX)
        return fail(RP_EVERSION, call, "size is not that of a version of the structure");
    defaults.size = static_cast<std::uint32_t>(size);
    std::memset(options, 0, size);
    std::memcpy(options, &defaults, std::min(size, sizeof defaults));
    return RP_OK;
}

/// Reads options of this or another version: those that it does not have keep their defaults; those that this library
/// does not have must be 0.
template <class Options>
std::int32_t read(std::string_view call, const Options* given, Options& options) {
    if (given == nullptr) return RP_OK;
    const std::size_t size = given->size;
    if (size < offsetof(Options, engine) || size > 16 * sizeof options)
        return fail(RP_EVERSION, call, "options->size is not that of a version of the structure: call its init first");
    const auto* bytes = reinterpret_cast<const unsigned char*>(given);
    for (std::size_t i = sizeof options; i < size; ++i)
        if (bytes[i] != 0) return fail(RP_EVERSION, call, "options has a member that this library does not have");
    std::memcpy(&options, given, std::min(size, sizeof options));
    return RP_OK;
}

constexpr rp_engine_options engine_defaults(WaitMode wait = WaitMode::adaptive) {
    return {RP_BACKEND_AUTOMATIC, static_cast<std::int32_t>(wait), 1, 1, {}};
}
std::int32_t read(std::string_view call, const rp_engine_options& given, EngineOptions& out);
/// RP_FAMILY_NONE leaves `out` as it is.
std::int32_t read(std::string_view call, const char* name, const rp_address& given, Address& out);
std::int32_t read(std::string_view call, const char* name, const char* const* texts, std::uint32_t count,
                  std::vector<std::string>& out);
std::int32_t read(std::string_view call, const char* const* networks, std::uint32_t count, std::vector<Subnet>& out);
std::int32_t check_timeout(std::string_view call, std::int64_t timeout_ns);

}  // namespace ringpost::c
