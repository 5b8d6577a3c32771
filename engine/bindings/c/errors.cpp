// The last failure of each thread, and the checks of versions.

#include "engine/bindings/c/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

namespace ringpost::c {
namespace {

struct LastError {
    std::array<char, error_text_bytes> text{};
    int number = 0;
};
constinit thread_local LastError last_error;

constexpr auto error_names = std::to_array<const char*>(
    {"RP_OK", "RP_EINVAL", "RP_EHANDLE", "RP_ETHREAD", "RP_EFORK", "RP_EVERSION", "RP_ESYSTEM", "RP_ESMALL", "RP_EFULL",
     "RP_ETOOLARGE", "RP_ETEXT", "RP_EPEER", "RP_EUNKNOWN", "RP_EVALUE", "RP_ESTOPPED", "RP_EMANY"});
static_assert(error_names.size() == -RP_EMANY + 1);

}  // namespace

std::int32_t fail(std::int32_t code, std::string_view call, std::string_view what, int error_number) {
    auto& text = last_error.text;
    const auto end = fmt::format_to_n(text.data(), text.size() - 1, "{}: {}", call, what).out;
    *end = '\0';
    last_error.number = error_number;
    return code;
}

std::int32_t fail(std::string_view call, const Error& error) {
    return fail(error.code == EINVAL ? RP_EINVAL : RP_ESYSTEM, call, error.text, error.code);
}

}  // namespace ringpost::c

using namespace ringpost::c;

const char* rp_last_error(void) { return last_error.text.data(); }

int32_t rp_last_errno(void) { return last_error.number; }

const char* rp_error_name(int32_t error) {
    const bool known = error <= 0 && error > -static_cast<int32_t>(error_names.size());
    return known ? error_names[static_cast<std::size_t>(-error)] : "";
}

int32_t rp_abi_version(void) { return RP_ABI_VERSION; }

const char* rp_version(void) { return RINGPOST_VERSION; }

int32_t rp_check_abi(int32_t abi_version) {
    if (abi_version == RP_ABI_VERSION) return RP_OK;
    return fail(RP_EVERSION, "rp_check_abi",
                fmt::format("the program was compiled for ABI version {}, libringpost {} has {}", abi_version,
                            RINGPOST_VERSION, RP_ABI_VERSION));
}
