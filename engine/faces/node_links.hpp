#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/node.hpp>
#include "engine/os/links.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::devices {

/// The sockets by which a Node hears and says adverts, one for each link and family: opened and closed as links and
/// their addresses come and go.
class NodeLinks {
  public:
    /// The error names an interface that was asked for and does not exist.
    static Result<NodeLinks> open(const NodeOptions& options);

    /// Readable when changed() may have something to say: for a backend's watch().
    int watched_fd() const { return watcher_.fd(); }
    /// Something has changed since the last call, or a socket that could not be opened is due to be tried again.
    bool changed(Instant now);
    /// When to ask again, whatever the watched descriptor says.
    Instant retry_at() const { return retry_at_; }

    /// A socket that there is.
    struct Member {
        std::string link;
        Address own;  ///< where its datagrams come from; what makes it the same socket as before
        SocketIndex socket = 0;
    };
    /// A socket that there should be, joined to its group.
    struct Opened {
        Member member;
        UdpSocket socket;
    };
    struct Plan {
        std::vector<Member> closed;
        std::vector<Opened> opened;  ///< add() each when the backend has it
    };
    /// What has to be done for the sockets to be those of the links that there are now.
    Plan plan(Instant now);
    void add(Member member) { members_.push_back(std::move(member)); }

    const std::vector<Member>& members() const { return members_; }
    const Options& protocol() const { return options_.protocol; }
    /// One could not be opened after all, or not be added: plan() will have it again.
    void retry_later(Instant now);

    std::uint64_t failed() const { return failed_; }
    /// Why the latest of those could not be opened.
    const std::optional<Error>& error() const { return error_; }

  private:
    NodeLinks(NodeOptions options, LinkWatcher watcher) : options_(std::move(options)), watcher_(std::move(watcher)) {}

    bool takes(const Link& link) const;
    std::vector<Member> wanted() const;
    Result<UdpSocket> open_socket(const Member& member) const;

    NodeOptions options_;
    LinkWatcher watcher_;
    std::vector<Member> members_;
    Instant retry_at_ = never;
    std::uint64_t failed_ = 0;
    std::optional<Error> error_;
};

}  // namespace ringpost::devices
