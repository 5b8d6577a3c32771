#pragma once

// Who is there: names, where their adverts come from, and for how long nothing has been heard.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/siphash.hpp"
#include "codec/base/timer_wheel.hpp"
#include "codec/devices/options.hpp"

namespace ringpost::devices {

/// A name's place in the directory, while it is there; below names_max.
using NameIndex = std::uint32_t;
inline constexpr std::uint32_t nobody = UINT32_MAX;

/// No datagram socket: the name was learned from a connection.
inline constexpr SocketIndex no_socket = UINT32_MAX;

/// Whether two addresses are one host's, as far as an address can say.
bool same_host(const Address& a, const Address& b);

struct Device {
    std::string name;  ///< empty: the place is free
    Address address;
    SocketIndex socket = no_socket;  ///< by which it was heard
    Presence presence = Presence::alive;
    bool failed = false;   ///< its connection has, and it has not been heard since
    Instant heard_at = 0;  ///< an advert, or its name over a new connection
    Instant sign_at = 0;   ///< anything at all from it
    Instant failed_at = 0;
    // Somebody elsewhere says to be this one, and is believed if no sign of this one comes by contest_ends_at.
    Instant contested_at = never, contest_ends_at = never;
    Instant conflict_told_at = 0;
    bool conflict_told = false;
    Address claimant;
    SocketIndex claimant_socket = no_socket;
};

/// What has become of a name.
enum class Change : std::uint8_t { appeared, suspect, back, gone, moved };

/// What an advert has told.
struct Heard {
    enum class What : std::uint8_t {
        known,  ///< still there
        appeared,
        back,       ///< was suspect
        moved,      ///< the claimant has taken the name, for the first is lost
        conflict,   ///< known from another address on the same link
        elsewhere,  ///< known from another link or in the other family: a host with two links, perhaps
        full,
    };
    What what = What::known;
    NameIndex index = nobody;
    bool tell = false;  ///< conflict: the application has not been told lately
    Address before;     ///< moved: its address until now
};

/// A name is suspect when no advert was heard for two periods, or when its connection failed; it is gone when there was
/// no sign of it for five periods, or for two after a failure. The first address of a name keeps it while there are
/// signs of it: another that claims it has to wait for as long as an advert may take, or until confirm_by().
class Directory {
  public:
    Directory(std::uint32_t names_max, Duration period, const SipKey& key, Instant start);

    Heard on_advert(Instant now, std::string_view name, const Address& source, SocketIndex socket);

    /// A new connection's peer at `address` has said this name: appeared, back, moved (then `before` is set), full or
    /// known.
    Heard on_connected(Instant now, std::string_view name, const Address& address);
    /// Bytes over its connection.
    void on_sign(Instant now, NameIndex index) { devices_[index].sign_at = now; }
    /// Its connection has failed: suspect, unless it is already, or moved.
    std::optional<Change> on_failure(Instant now, NameIndex index);
    /// A connection from `claimant` says this name, which has a connection already. True: the first is lost.
    bool contest(Instant now, NameIndex index, const Address& claimant, SocketIndex socket);
    /// Who holds a contested name has been asked for a sign, and would have given it by then.
    void confirm_by(Instant at, NameIndex index);
    /// It has said goodbye.
    void remove(NameIndex index);

    /// Calls on_change(NameIndex, Change, const Address& before) for every name that has become suspect, gone or moved;
    /// a name that is gone is still in its place during the call.
    template <class F>
    void expire(Instant now, F&& on_change);
    std::optional<Instant> next_timeout() const { return timers_.next(); }

    NameIndex find(std::string_view name) const;
    const Device& operator[](NameIndex index) const { return devices_[index]; }
    std::uint32_t size() const { return size_; }

    /// Whether a conflict about this name may be told now; at most once in five periods.
    bool may_tell_conflict(Instant now, NameIndex index);

    /// Calls f(NameIndex) for every name.
    template <class F>
    void for_each(F&& f) const {
        for (NameIndex index = 0; index < devices_.size(); ++index)
            if (!devices_[index].name.empty()) f(index);
    }

  private:
    struct Slot {
        NameIndex index = nobody;
        std::uint32_t hash = 0;
    };

    std::uint32_t hash_of(std::string_view name) const;
    std::uint32_t locate(std::string_view name, std::uint32_t hash) const;
    NameIndex insert(Instant now, std::string_view name, const Address& address, SocketIndex socket);
    bool lost(Instant now, const Device& device) const;
    void take_over(Instant now, Device& device);
    void confirm(Instant now, Device& device);
    Instant gone_at(const Device& device) const;
    void schedule(NameIndex index);
    std::optional<Change> due(Instant now, Device& device);

    std::uint32_t names_max_;
    Duration period_;
    SipKey key_;
    std::vector<Device> devices_;
    std::vector<NameIndex> free_;
    std::vector<Slot> slots_;  ///< open addressing, at most half full; deletion closes the gap, as in LruTable
    std::uint32_t slot_mask_;
    std::uint32_t size_ = 0;
    TimerWheel timers_;  ///< by NameIndex; never later than what is due, but sometimes earlier
};

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
