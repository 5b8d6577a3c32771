#pragma once

// Prints keys.

#include "codec/crypto/keys.hpp"

namespace ringpost::apps {

/// Prints a secret key to standard output. If that is a file, only its owner may read and write it from then on: its
/// mode is set before the key is written. Throws a Failure if that is not possible, or nothing can be written.
void print_secret_key(const crypto::Key& key);

/// Prints a key that is no secret.
void print_public_key(const crypto::Key& key);

}  // namespace ringpost::apps
