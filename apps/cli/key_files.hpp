#pragma once

// Files with keys. A secret key that other users can read is refused.

#include <string>
#include <vector>

#include "codec/crypto/keys.hpp"

namespace ringpost::apps {

/// The key in a file, or with path "-" on standard input. `option` names it in errors, such as `--key`. Throws a
/// Failure with Exit::usage and one line if it cannot be read, is no key, or is a file that others than its owner may
/// read or write.
crypto::Key read_secret_key(const std::string& option, const std::string& path);

/// The peers of an allow list. Throws a Failure as above; anybody may read the file.
std::vector<crypto::AllowedPeer> read_allow_list(const std::string& option, const std::string& path);

/// Prints a secret key to standard output. If that is a file, only its owner may read and write it from then on: its
/// mode is set before the key is written. Throws a Failure if that is not possible, or nothing can be written.
void print_secret_key(const crypto::Key& key);

/// Prints a key that is no secret.
void print_public_key(const crypto::Key& key);

}  // namespace ringpost::apps
