#include <ringpost/messenger_options.hpp>

#include <sys/random.h>

#include "codec/base/check.hpp"

namespace ringpost::gtudp {

Options fresh_options() {
    struct Random {
        SipKey key;
        std::uint64_t seed;
        Identity first_identity;
    } random;
    // getrandom() never returns a short count for so few bytes. It fails only if the kernel does not have it.
    RINGPOST_CHECK(getrandom(&random, sizeof random, 0) == static_cast<ssize_t>(sizeof random));
    Options options;
    options.key = random.key;
    options.seed = random.seed;
    options.first_identity = random.first_identity;
    return options;
}

}  // namespace ringpost::gtudp
