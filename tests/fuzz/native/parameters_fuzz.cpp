// Any bytes as the parameters of a handshake. What is read has no fault, and is read again from what it is written as.
// The first four bytes are the random parameter's.

#include "codec/native/parameters.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::native_parameters {

using namespace ringpost::native;

namespace {

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 4'096);
    const std::uint32_t random = script.u16() | std::uint32_t{script.u16()} << 16;
    const auto parameters = parse_parameters(script.bytes(size));
    if (!parameters) return 0;
    RINGPOST_CHECK(!fault_of(*parameters));
    Bytes written(parameters_bytes_max);
    written.resize(write_parameters(written, *parameters, random));
    RINGPOST_CHECK(parse_parameters(written) == *parameters);
    RINGPOST_CHECK(!mismatch_of(parameters->channels, parameters->channels));
    return 0;
}

const Target registered("native/parameters", run);

}  // namespace
}  // namespace ringpost::fuzz::native_parameters
