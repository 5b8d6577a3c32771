#include "apps/cli/client_list.hpp"

#include <fmt/core.h>

#include <filesystem>

#include "apps/cli/random.hpp"
#include "engine/faces/key_files.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {

void keep_client_list(const std::string& file, KeptFiles& files, AllowedCalls& calls) {
    if (file.empty()) return;
    const std::filesystem::path directory = std::filesystem::path(file).parent_path();
    files.readable_beneath = directory.empty() ? "." : directory.string();
    calls.reading = true;
    keep_hangups();
}

std::string reread_text(const std::string& file, const Result<void>& read) {
    if (read) return fmt::format("SIGHUP: clients of {} from now on", file);
    return fmt::format("SIGHUP: {}; the list of clients stays as it was", read.error().text);
}

void ClientList::reread_after_hangup() {
    if (!take_hangup()) return;
    Result<void> read;
    if (auto peers = read_allow_list(file_)) {
        auto list = std::make_shared<const crypto::AllowList>(std::move(*peers), random_key());
        const std::lock_guard lock(mutex_);
        list_ = std::move(list);
        ++version_;
    } else {
        read = std::unexpected(peers.error());
    }
    report_.note(reread_text(file_, read));
}

}  // namespace ringpost::apps
