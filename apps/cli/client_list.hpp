#pragma once

// The list of clients that a native server admits, --allow FILE: read at the start, and again after each SIGHUP.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "apps/cli/report.hpp"
#include "codec/crypto/keys.hpp"
#include "engine/os/sandbox.hpp"

namespace ringpost::apps {

/// From now on SIGHUP does not end this server, whose list is in `file`. The directory stays readable, so that the file
/// may be replaced by another. Nothing without a list, "".
void keep_client_list(const std::string& file, KeptFiles& files, AllowedCalls& calls);

/// What is noted when the file was read again: an error leaves the list as it was.
std::string reread_text(const std::string& file, const Result<void>& read);

/// The list of a server with several engines, of which the first reads the file.
class ClientList {
  public:
    using List = std::shared_ptr<const crypto::AllowList>;

    ClientList(std::string file, const Report& report, List first)
        : file_(std::move(file)), report_(report), list_(std::move(first)) {}

    /// One engine's use of it.
    class User {
      public:
        /// Null: there is no list.
        User(ClientList* list, std::size_t engine) : list_(list), reads_(engine == 0) {}
        /// On each turn of the engine: hands a newer list to its endpoint.
        template <class Endpoint>
        void renew(Endpoint& endpoint) {
            if (list_ == nullptr) return;
            if (reads_) list_->reread_after_hangup();
            if (version_ == list_->version_.load(std::memory_order_relaxed)) return;
            List newer = list_->newest(version_);
            endpoint.allow(newer.get());
            used_ = std::move(newer);
        }

      private:
        ClientList* list_;
        bool reads_;
        std::uint64_t version_ = 0;
        List used_;  ///< null: the first one
    };

  private:
    /// Reads the file again if SIGHUP has come.
    void reread_after_hangup();
    List newest(std::uint64_t& version) const {
        const std::lock_guard lock(mutex_);
        version = version_;
        return list_;
    }

    std::string file_;
    const Report& report_;
    mutable std::mutex mutex_;
    List list_;
    std::atomic<std::uint64_t> version_ = 0;
};

}  // namespace ringpost::apps
