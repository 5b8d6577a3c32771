#include "engine/faces/key_files.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "codec/crypto/hash.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost {
namespace {

constexpr mode_t of_others = S_IRWXG | S_IRWXO;

/// A key file is one line and comments.
constexpr std::size_t key_file_bytes_max = 16'384;
constexpr std::size_t allow_list_bytes_max = 16u << 20;

/// Closes what it has opened.
class KeyFile {
  public:
    explicit KeyFile(const std::string& path)
        : name_(path == "-" ? "standard input" : path),
          opened_(path != "-"),
          descriptor_(opened_ ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO),
          errno_(descriptor_ < 0 ? errno : 0) {}
    ~KeyFile() {
        if (opened_ && descriptor_ >= 0) ::close(descriptor_);
    }
    KeyFile(const KeyFile&) = delete;
    KeyFile& operator=(const KeyFile&) = delete;

    std::unexpected<Error> failed(int code, std::string_view why) const {
        return std::unexpected(Error{code, fmt::format("{}: {}", name_, why)});
    }
    std::unexpected<Error> failed(int code) const { return std::unexpected(system_error(name_, code)); }

    /// The first of what is wrong with the file as such.
    Result<void> check(bool secret) const {
        struct stat status{};
        if (errno_ != 0) return failed(errno_);
        if (::fstat(descriptor_, &status) < 0) return failed(errno);
        if (S_ISDIR(status.st_mode)) return failed(EISDIR);
        if (secret && S_ISREG(status.st_mode) && (status.st_mode & of_others) != 0)
            return failed(EACCES, fmt::format("its mode is {:04o}, so that others can use the key; set it to 0600",
                                              status.st_mode & 07777));
        return {};
    }

    /// Reads all of it into `text`, and returns the part that was filled.
    Result<std::string_view> read_into(std::span<char> text) const {
        std::size_t size = 0;
        for (;;) {
            const ssize_t got = ::read(descriptor_, text.data() + size, text.size() - size);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return failed(errno);
            if (got == 0) return std::string_view(text.data(), size);
            size += static_cast<std::size_t>(got);
            if (size == text.size()) return failed(EFBIG, fmt::format("has {} bytes or more", text.size()));
        }
    }

  private:
    std::string name_;
    bool opened_;
    int descriptor_;
    int errno_;
};

}  // namespace

Result<crypto::Key> read_secret_key(const std::string& path) {
    const KeyFile file(path);
    if (auto fine = file.check(true); !fine) return std::unexpected(fine.error());
    std::array<char, key_file_bytes_max> text{};
    const auto read = file.read_into(text);
    if (!read) return std::unexpected(read.error());
    const auto key = crypto::parse_key(*read);
    crypto::wipe(std::as_writable_bytes(std::span(text)));
    if (!key) return file.failed(EINVAL, describe(key.error()));
    return *key;
}

Result<std::vector<crypto::AllowedPeer>> read_allow_list(const std::string& path) {
    const KeyFile file(path);
    if (auto fine = file.check(false); !fine) return std::unexpected(fine.error());
    std::string text(allow_list_bytes_max, '\0');
    const auto read = file.read_into(text);
    if (!read) return std::unexpected(read.error());
    auto peers = crypto::parse_allow_list(*read);
    if (!peers) return file.failed(EINVAL, describe(peers.error()));
    return std::move(*peers);
}

}  // namespace ringpost
