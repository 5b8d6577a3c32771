#pragma once

// Shared by the tests of native connections.

#include <ringpost/connection.hpp>

#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::test {

inline Keys::Secret secret_of(int seed) {
    Keys::Secret secret{};
    secret.fill(static_cast<std::byte>(seed));
    return secret;
}

class NativeFace : public OnBackend {
  protected:
    static ListenOptions listening(const Keys& keys = Keys::shared(secret_of(1))) {
        return {.keys = keys, .engine = {.backend = GetParam()}};
    }
    static ConnectOptions connecting(const Keys& keys = Keys::shared(secret_of(1))) {
        return {.keys = keys, .timeout = patience, .engine = {.backend = GetParam()}};
    }
};

}  // namespace ringpost::test
