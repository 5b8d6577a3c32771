#include "apps/cli/key_files.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>

#include "apps/cli/failure.hpp"
#include "apps/cli/output.hpp"
#include "apps/cli/text_lines.hpp"
#include "codec/crypto/hash.hpp"

namespace ringpost::apps {
namespace {

constexpr mode_t of_others = S_IRWXG | S_IRWXO;

/// A key file is one line and comments.
constexpr std::size_t key_file_bytes_max = 16'384;

std::string name_of(const std::string& option, const std::string& path) {
    return path == "-" ? "standard input" : option + " " + path;
}

[[noreturn]] void refuse_key(const std::string& name, const std::string& why) {
    throw Failure(Exit::usage, name + ": " + why);
}

/// Closes what it has opened.
class KeyFile {
  public:
    explicit KeyFile(const std::string& path)
        : opened_(path != "-"), descriptor_(opened_ ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO) {}
    ~KeyFile() {
        if (opened_ && descriptor_ >= 0) ::close(descriptor_);
    }
    KeyFile(const KeyFile&) = delete;
    int descriptor() const { return descriptor_; }

  private:
    bool opened_;
    int descriptor_;
};

}  // namespace

crypto::Key read_secret_key(const std::string& option, const std::string& path) {
    const std::string name = name_of(option, path);
    const KeyFile file(path);
    struct stat status{};
    if (file.descriptor() < 0 || ::fstat(file.descriptor(), &status) < 0) refuse_key(name, std::strerror(errno));
    if (S_ISREG(status.st_mode) && (status.st_mode & of_others) != 0)
        refuse_key(name, fmt::format("its mode is {:04o}, so that others can use the key; set it to 0600",
                                     status.st_mode & 07777));
    std::array<char, key_file_bytes_max> text{};
    std::size_t size = 0;
    for (;;) {
        const ssize_t got = ::read(file.descriptor(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) refuse_key(name, std::strerror(errno));
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
        if (size == text.size()) refuse_key(name, fmt::format("has {} bytes or more", text.size()));
    }
    const auto key = crypto::parse_key({text.data(), size});
    crypto::wipe(std::as_writable_bytes(std::span(text)));
    if (!key) refuse_key(name, describe(key.error()));
    return *key;
}

std::vector<crypto::AllowedPeer> read_allow_list(const std::string& option, const std::string& path) {
    const auto contents = contents_of(path);
    if (!contents) refuse_key(option + " " + path, contents.error());
    auto peers = crypto::parse_allow_list(*contents);
    if (!peers) refuse_key(option + " " + path, describe(peers.error()));
    return std::move(*peers);
}

void print_secret_key(const crypto::Key& key) {
    struct stat status{};
    const bool is_file = ::fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);
    if (is_file && (status.st_mode & of_others) != 0 && ::fchmod(STDOUT_FILENO, S_IRUSR | S_IWUSR) < 0)
        throw Failure(Exit::failed, fmt::format("standard output: its mode is {:04o} and cannot be set to 0600: {}",
                                                status.st_mode & 07777, std::strerror(errno)));
    print_public_key(key);
}

void print_public_key(const crypto::Key& key) {
    std::string line = crypto::key_text(key) + '\n';
    const bool written = std::fputs(line.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    crypto::wipe(std::as_writable_bytes(std::span(line)));
    if (!written) fail_to_write();
}

}  // namespace ringpost::apps
