#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/datagram.hpp>
#include <ringpost/devices.hpp>
#include "engine/os/links.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::devices {

/// The advert sockets of a Node, one per link and address family. They follow the links and addresses of the host.
/// Opens sockets and plans changes; the caller adds them to and removes them from the backend.
class NodeLinks {
  public:
    /// Fails if an interface in the options does not exist.
    static Result<NodeLinks> open(const NodeOptions& options);

    /// Readable when changed() may return true; for a backend's watch().
    int watched_fd() const { return watcher_.fd(); }
    /// The links have changed since the last call, or a retry is due.
    bool changed(Instant now);
    /// When changed() returns true regardless of watched_fd().
    Instant retry_at() const { return retry_at_; }

    /// A socket in use, identified by `link` and `own`.
    struct Member {
        std::string link;  ///< "": none, for seeds only
        Address own;       ///< source address of its datagrams
        SocketIndex socket = 0;
    };
    /// A new socket that has joined its group.
    struct Opened {
        Member member;
        UdpSocket socket;
    };
    struct Plan {
        std::vector<Member> closed;
        std::vector<Opened> opened;  ///< call add() once its socket is in the backend
    };
    /// The changes that make the sockets match the current links.
    Plan plan(Instant now);
    void add(Member member) { members_.push_back(std::move(member)); }

    const std::vector<Member>& members() const { return members_; }
    const ProtocolOptions& protocol() const { return options_.protocol; }
    /// A socket could not be opened or added: schedule another plan().
    void retry_later(Instant now);

    /// Number of retry_later() calls.
    std::uint64_t failed() const { return failed_; }
    /// The latest error of opening a socket.
    const std::optional<Error>& error() const { return error_; }

  private:
    NodeLinks(NodeOptions options, LinkWatcher watcher) : options_(std::move(options)), watcher_(std::move(watcher)) {}

    bool takes(const Link& link) const;
    Result<std::vector<Member>> wanted() const;
    Result<UdpSocket> open_socket(const Member& member) const;

    NodeOptions options_;
    LinkWatcher watcher_;
    std::vector<Member> members_;
    Instant retry_at_ = never;
    std::uint64_t failed_ = 0;
    std::optional<Error> error_;
};

}  // namespace ringpost::devices
