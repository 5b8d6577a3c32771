#include "engine/faces/gtudp_open.hpp"

#include <cerrno>
#include <string>
#include <utility>

#include "engine/faces/fresh_options.hpp"
#include "engine/faces/option_check.hpp"

namespace ringpost::gtudp {
namespace {

const char* reason(WireError error) {
    switch (error) {
        case WireError::type_empty: return "a type is empty";
        case WireError::type_lengths: return "the types differ in length";
        case WireError::types_equal: return "two types are equal";
        case WireError::header_too_long: return "the header leaves no room in a datagram";
    }
    return "";
}

}  // namespace

Result<Opening> opening_of(const OpenOptions& options) {
    if (auto wrong = check_options(options)) return std::unexpected(std::move(*wrong));
    auto codec = Codec::make(options.wire);
    if (!codec) return std::unexpected(Error{EINVAL, std::string("wire: ") + reason(codec.error())});
    Opening out{.socket = {}, .protocol = fresh_options(options.protocol, std::move(*codec))};
    out.socket.connect = options.connect;
    // A connected socket by itself reports only a closed port, not an unreachable host.
    out.socket.reports_errors = options.connect.family != Family::none;
    if (options.connect.family == Family::none) out.socket.bind = options.bind;
    out.socket.gro = options.gro;
    out.socket.allowed = options.allowed;
    return out;
}

}  // namespace ringpost::gtudp
