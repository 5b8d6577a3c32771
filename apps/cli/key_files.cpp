#include "apps/cli/key_files.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>

#include "apps/cli/failure.hpp"
#include "apps/cli/output.hpp"
#include "codec/crypto/hash.hpp"

namespace ringpost::apps {
namespace {

constexpr mode_t of_others = S_IRWXG | S_IRWXO;

}  // namespace

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
