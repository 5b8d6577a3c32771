#include "apps/cli/lines.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ringpost::apps {

std::optional<std::string> Lines::next() {
    while (true) {
        if (const std::size_t end = pending_.find('\n', searched_); end != std::string::npos) {
            std::string line = pending_.substr(0, end);
            pending_.erase(0, end + 1);
            searched_ = 0;
            return line;
        }
        searched_ = pending_.size();
        if (ended_) {
            if (pending_.empty()) return std::nullopt;
            searched_ = 0;
            return std::exchange(pending_, {});
        }
        if (!read_some()) return std::nullopt;
    }
}

bool Lines::read_some() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 0) <= 0) return false;
    char buffer[4096];
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return errno == EINTR;
    if (got <= 0) ended_ = true;  // a read error counts as the end
    pending_.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return true;
}

}  // namespace ringpost::apps
