#pragma once

// Files with keys. A secret key that other users can read is refused.

#include <string>
#include <vector>

#include <ringpost/error.hpp>
#include "codec/crypto/keys.hpp"

namespace ringpost {

/// The key in a file, or with path "-" on standard input. The error names the file: EACCES if others than its owner may
/// read or write it, EINVAL if it is no key, or that of the system.
Result<crypto::Key> read_secret_key(const std::string& path);

/// The peers of an allow list; anybody may read the file. Errors as above.
Result<std::vector<crypto::AllowedPeer>> read_allow_list(const std::string& path);

}  // namespace ringpost
