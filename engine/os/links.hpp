#pragma once

#include <string>
#include <vector>

#include <ringpost/address.hpp>
#include <ringpost/error.hpp>

namespace ringpost {

/// A network interface of this host (of the thread's network namespace).
struct Link {
    std::string name;
    unsigned index = 0;
    bool loopback = false;
    std::vector<Address> v4;             ///< port 0; in the system's order, the primary address first
    std::vector<Address> v6_link_local;  ///< port 0, scope the link's index

    bool operator==(const Link&) const = default;
};

/// The links that are up, have a carrier and take multicast, by index, with the addresses that they can be used with.
/// Loopback is among them while it is up, though the system does not mark it: a program that joins a group there hears
/// those on the same host.
Result<std::vector<Link>> multicast_links();

/// Tells when links or their addresses come, go or change (rtnetlink(7)).
class LinkWatcher {
  public:
    static Result<LinkWatcher> open();
    LinkWatcher(LinkWatcher&& other) noexcept;
    LinkWatcher& operator=(LinkWatcher&&) = delete;
    ~LinkWatcher();

    /// Readable when changed() may have something to say: for a backend's watch().
    int fd() const { return fd_; }
    /// True when something has changed since the last call. Never waits, and leaves nothing unread. When more has
    /// changed than the system could note, that counts too.
    bool changed();

  private:
    explicit LinkWatcher(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace ringpost
