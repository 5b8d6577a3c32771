#pragma once

// The names on the network, their addresses, and how long ago each was last seen.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/siphash.hpp"
#include "codec/base/timer_wheel.hpp"
#include "codec/devices/options.hpp"
#include "codec/devices/shares.hpp"

namespace ringpost::devices {

/// Index of a name in the directory, valid while the name is in it; below names_max.
using NameIndex = std::uint32_t;
inline constexpr std::uint32_t no_name = UINT32_MAX;

/// The name was learned from a connection, not on a datagram socket.
inline constexpr SocketIndex no_socket = UINT32_MAX;

/// Whether two addresses belong to one host, as far as the addresses show.
bool same_host(const Address& a, const Address& b);

struct Device {
    std::string name;  ///< empty: unused entry
    Address address;
    SocketIndex socket = no_socket;  ///< that received its last advert
    Presence presence = Presence::alive;
    bool failed = false;       ///< its connection has failed, and it has not announced itself since
    Instant announced_at = 0;  ///< last advert, or last name on a new connection
    Instant active_at = 0;     ///< last activity of any kind
    Instant failed_at = 0;
    // Another address claims the name and takes it over if this device shows no activity until contest_ends_at.
    Instant contested_at = never, contest_ends_at = never;
    Instant conflict_reported_at = 0;
    bool conflict_reported = false;
    bool was_connected = false;
    std::uint32_t place = UINT32_MAX;  ///< among the names that are not connected; UINT32_MAX: connected
    Address claimant;
    SocketIndex claimant_socket = no_socket;
};

/// A change in the state of a name.
enum class Change : std::uint8_t { appeared, suspect, back, gone, moved };

/// What the directory has learned from an advert or a connection.
struct Update {
    enum class Kind : std::uint8_t {
        known,  ///< no change
        appeared,
        back,       ///< was suspect
        moved,      ///< was lost at its old address; the claimant has taken the name over
        conflict,   ///< known from another address on the same link
        elsewhere,  ///< known on another link or in the other address family; possibly a host with two interfaces
        full,
    };
    Kind kind = Kind::known;
    NameIndex index = no_name;
    bool report = false;  ///< conflict: has not been reported recently
    Address before;       ///< moved: the old address
};

/// A name becomes suspect if no advert was received for two periods or its connection failed. It is gone after five
/// periods without any activity, or two after a failure. A name stays with its first address while that shows activity;
/// another address that claims the name takes it over if there is none for the time in which an advert is due, or until
/// confirm_by().
class Directory {
  public:
    Directory(std::uint32_t names_max, Duration period, const SipKey& key, Instant start);

    Update on_advert(Instant now, std::string_view name, const Address& source, SocketIndex socket);

    /// A new connection's peer at `address` has sent this name. The result is appeared, back, moved (with `before`),
    /// full or known.
    Update on_connected(Instant now, std::string_view name, const Address& address);
    /// Bytes were received on the device's connection.
    void on_activity(Instant now, NameIndex index) { devices_[index].active_at = now; }
    /// The device's connection has failed. The result is suspect (nullopt if it was already), or moved.
    std::optional<Change> on_failure(Instant now, NameIndex index);
    /// A connection from `claimant` has sent this name, which is already connected. Returns true if the known device is
    /// lost.
    bool contest(Instant now, NameIndex index, const Address& claimant, SocketIndex socket);
    /// The known device of a contested name has been pinged and must show activity by `at`.
    void confirm_by(Instant at, NameIndex index);
    /// The device has sent a goodbye.
    void remove(NameIndex index);

    /// Calls on_change(NameIndex, Change, const Address& before) for every name that has become suspect, gone or moved.
    /// The entry of a name that is gone remains valid during the call.
    template <class F>
    void expire(Instant now, F&& on_change);
    std::optional<Instant> next_timeout() const { return timers_.next(); }

    bool full() const { return size_ == names_max_; }
    /// A connection with the device is open, or no longer.
    void set_connected(NameIndex index, bool connected);
    /// The name to remove for a new one if full(): of a few names chosen with random_below(end) that are not connected,
    /// one from a network other than ours (is_near(address) is false), that was never connected, from the network with
    /// most such names, or the oldest. Returns no_name if all are connected.
    template <class Random, class IsNear>
    NameIndex eviction(Random&& random_below, IsNear&& is_near) const;

    NameIndex find(std::string_view name) const;
    const Device& operator[](NameIndex index) const { return devices_[index]; }
    std::uint32_t size() const { return size_; }

    /// Whether a conflict about this name may be reported now; at most once in five periods.
    bool may_report_conflict(Instant now, NameIndex index);

    /// Calls f(NameIndex) for every name.
    template <class F>
    void for_each(F&& f) const {
        for (NameIndex index = 0; index < devices_.size(); ++index)
            if (!devices_[index].name.empty()) f(index);
    }

  private:
    struct Slot {
        NameIndex index = no_name;
        std::uint32_t hash = 0;
    };

    std::uint32_t hash_of(std::string_view name) const;
    std::uint32_t locate(std::string_view name, std::uint32_t hash) const;
    NameIndex insert(Instant now, std::string_view name, const Address& address, SocketIndex socket);
    bool lost(Instant now, const Device& device) const;
    void take_over(Instant now, Device& device);
    void count_network(const Device& device, bool more);
    void confirm(Instant now, Device& device);
    Instant expires_at(const Device& device) const;
    void schedule(NameIndex index);
    std::optional<Change> due(Instant now, Device& device);

    std::uint32_t names_max_;
    Duration period_;
    SipKey key_;
    std::vector<Device> devices_;
    std::vector<NameIndex> free_;
    std::vector<Slot> slots_;  ///< open addressing, at most half full; erasing closes the gap, as in LruTable
    std::uint32_t slot_mask_;
    std::uint32_t size_ = 0;
    std::vector<NameIndex> unconnected_;
    Holders unconnected_by_network_;
    TimerWheel timers_;  ///< by NameIndex; never later than the earliest deadline, but possibly earlier
};

template <class Random, class IsNear>
NameIndex Directory::eviction(Random&& random_below, IsNear&& is_near) const {
    constexpr int samples = 16;
    NameIndex chosen = no_name;
    std::tuple<bool, bool, std::uint32_t, Instant> most{};
    for (int i = 0; i < samples && !unconnected_.empty(); ++i) {
        const auto at = static_cast<std::size_t>(random_below(static_cast<Duration>(unconnected_.size())));
        const Device& device = devices_[unconnected_[at]];
        const std::uint32_t of_network = unconnected_by_network_.count(network_of(device.address));
        const std::tuple rank(!is_near(device.address), !device.was_connected, of_network, -device.announced_at);
        if (chosen != no_name && rank <= most) continue;
        chosen = unconnected_[at];
        most = rank;
    }
    return chosen;
}

template <class F>
void Directory::expire(Instant now, F&& on_change) {
    timers_.expire(now, [&](TimerIndex index, Instant) {
        Device& device = devices_[index];
        const Address before = device.address;
        const std::optional<Change> change = due(now, device);
        if (change) on_change(index, *change, before);
        if (change == Change::gone)
            remove(index);
        else if (!devices_[index].name.empty())
            schedule(index);
    });
}

}  // namespace ringpost::devices
