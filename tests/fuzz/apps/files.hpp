#pragma once

// Shared by the targets of what the command reads from disk: files in memory, and how a reader may fail.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "apps/cli/failure.hpp"
#include "codec/base/check.hpp"

namespace ringpost::fuzz {

/// A directory of this process in memory, removed at its end.
class Directory {
  public:
    Directory() : path_("/dev/shm/ringpost_fuzz_" + std::to_string(getpid())) {
        std::filesystem::remove_all(path_);
        std::filesystem::create_directory(path_);
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    const std::string& path() const { return path_; }

    std::string write(const std::string& name, std::string_view contents) const {
        std::string path = path_ + "/" + name;
        std::ofstream(path, std::ios::binary) << contents;
        return path;
    }

  private:
    std::string path_;
};

/// Returns whether `read` succeeded. It may fail with the line and the exit code of wrong usage only.
template <class Read>
bool reads(const Read& read) {
    try {
        read();
        return true;
    } catch (const apps::Failure& failure) {
        RINGPOST_CHECK(failure.exit_code == apps::Exit::usage && *failure.what() != '\0');
        return false;
    }
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

}  // namespace ringpost::fuzz
