#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace ringpost::apps {

/// A file with these contents, removed at the end. One at a time in a process.
class TemporaryFile {
  public:
    explicit TemporaryFile(const std::string& contents) { std::ofstream(path_, std::ios::binary) << contents; }
    ~TemporaryFile() { std::filesystem::remove(path_); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    const std::string& path() const { return path_; }

  private:
    std::string path_ = testing::TempDir() + "ringpost_file_" + std::to_string(getpid());
};

}  // namespace ringpost::apps
