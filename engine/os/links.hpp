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
    std::vector<Address> v4;             ///< port 0; in kernel order, primary address first
    std::vector<Address> v6_link_local;  ///< port 0; scope is the link's index

    bool operator==(const Link&) const = default;
};

/// The links that are up, have a carrier and support multicast, sorted by index, with their usable addresses. Includes
/// loopback while it is up: although it lacks IFF_MULTICAST, groups joined there connect programs of the same host.
Result<std::vector<Link>> multicast_links();

/// The index of the interface of this name, as if_nametoindex() gives it. 0: errno has the reason, ENODEV if there is
/// none; that of if_nametoindex() may be another than the one for which it failed.
unsigned interface_index(const std::string& name);

/// Detects changes of links and their addresses (rtnetlink(7)).
class LinkWatcher {
  public:
    static Result<LinkWatcher> open();
    LinkWatcher(LinkWatcher&& other) noexcept;
    LinkWatcher& operator=(LinkWatcher&&) = delete;
    ~LinkWatcher();

    /// Readable when something may have changed; for a backend's watch().
    int fd() const { return fd_; }
    /// True if something has changed since the last call. Does not block; drains the socket. A receive buffer overflow
    /// counts as a change.
    bool changed();

  private:
    explicit LinkWatcher(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace ringpost
