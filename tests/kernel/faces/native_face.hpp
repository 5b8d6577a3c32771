#pragma once

// Shared by the tests of native connections.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include <ringpost/connection.hpp>
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::test {

inline Keys::Secret secret_of(int seed) {
    Keys::Secret secret{};
    secret.fill(static_cast<std::byte>(seed));
    return secret;
}

/// A file with keys, removed at the end.
class KeyTextFile {
  public:
    explicit KeyTextFile(const std::string& text, mode_t mode = 0600) {
        const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
        EXPECT_EQ(::fchmod(fd, mode), 0);
        ::close(fd);
    }
    ~KeyTextFile() { ::unlink(path_.c_str()); }
    KeyTextFile(const KeyTextFile&) = delete;
    KeyTextFile& operator=(const KeyTextFile&) = delete;
    const std::string& path() const { return path_; }

  private:
    static inline int made_ = 0;
    std::string path_ =
        ::testing::TempDir() + "ringpost_keys_" + std::to_string(getpid()) + "_" + std::to_string(made_++);
};

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
