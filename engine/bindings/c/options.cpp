#include "engine/bindings/c/options.hpp"

#include <fmt/format.h>

namespace ringpost::c {

std::int32_t read(std::string_view call, const rp_engine_options& given, EngineOptions& out) {
    if (given.backend < RP_BACKEND_AUTOMATIC || given.backend > RP_BACKEND_MMSG)
        return fail(RP_EINVAL, call, fmt::format("engine.backend {}: not an RP_BACKEND_*", given.backend));
    if (given.wait < RP_WAIT_BLOCK || given.wait > RP_WAIT_ADAPTIVE)
        return fail(RP_EINVAL, call, fmt::format("engine.wait {}: not an RP_WAIT_*", given.wait));
    out.backend = static_cast<BackendChoice>(given.backend);
    out.wait = static_cast<WaitMode>(given.wait);
    out.gso = given.gso != 0;
    return RP_OK;
}

std::int32_t read(std::string_view call, const char* name, const rp_address& given, Address& out) {
    if (given.family == RP_FAMILY_NONE) return RP_OK;
    const auto address = from_c(given);
    if (!address) return fail(RP_EINVAL, call, fmt::format("{}: not an address", name));
    out = *address;
    return RP_OK;
}

std::int32_t read(std::string_view call, const char* name, const char* const* texts, std::uint32_t count,
                  std::vector<std::string>& out) {
    if (texts == nullptr && count > 0) return fail(RP_EINVAL, call, fmt::format("{} is NULL", name));
    for (std::uint32_t i = 0; i < count; ++i) {
        if (texts[i] == nullptr) return fail(RP_EINVAL, call, fmt::format("{}[{}] is NULL", name, i));
        out.emplace_back(texts[i]);
    }
    return RP_OK;
}

std::int32_t read(std::string_view call, const char* const* networks, std::uint32_t count, std::vector<Subnet>& out) {
    std::vector<std::string> texts;
    if (const auto error = read(call, "allowed", networks, count, texts)) return error;
    for (const std::string& text : texts) {
        const auto network = parse_subnet(text);
        if (!network) return fail(RP_EINVAL, call, fmt::format("allowed {}: {}", text, network.error().text));
        out.push_back(*network);
    }
    return RP_OK;
}

std::int32_t check_timeout(std::string_view call, std::int64_t timeout_ns) {
    return timeout_ns < 0 ? fail(RP_EINVAL, call, "timeout_ns is negative") : RP_OK;
}

}  // namespace ringpost::c
