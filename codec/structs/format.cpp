#include <ringpost/structs/format.hpp>

namespace ringpost::structs {

const char* describe(FormatError::Kind kind) {
    switch (kind) {
        case FormatError::Kind::bad_code: return "unknown code";
        case FormatError::Kind::count_without_code: return "a count without a code";
        case FormatError::Kind::too_large: return "more than a packet holds";
        case FormatError::Kind::too_many_runs: return "too many runs of values";
    }
    return "";
}

}  // namespace ringpost::structs
