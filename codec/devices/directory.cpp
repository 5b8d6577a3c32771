// Each name has one timer for the earliest of its deadlines. Activity only moves deadlines later, so it does not touch
// the timer: when the timer fires early, it is set again.

#include "codec/devices/directory.hpp"

#include <algorithm>
#include <bit>

#include "codec/base/check.hpp"

namespace ringpost::devices {

bool same_host(const Address& a, const Address& b) { return a.ip == b.ip && a.scope == b.scope; }

Directory::Directory(std::uint32_t names_max, Duration period, const SipKey& key, Instant start)
    : names_max_(names_max),
      period_(period),
      key_(key),
      slots_(std::size_t{2} * std::bit_ceil(names_max)),
      slot_mask_(static_cast<std::uint32_t>(slots_.size()) - 1),
      unconnected_by_network_(key),
      timers_(names_max, start) {}

Update Directory::on_advert(Instant now, std::string_view name, const Address& source, SocketIndex socket) {
    const NameIndex index = find(name);
    if (index == no_name) {
        const NameIndex inserted = insert(now, name, source, socket);
        return {inserted == no_name ? Update::Kind::full : Update::Kind::appeared, inserted, false, {}};
    }
    Device& device = devices_[index];
    if (same_host(device.address, source)) {
        device.address = source;
        device.socket = socket;
        const bool suspect = device.presence == Presence::suspect;
        confirm(now, device);
        if (suspect) schedule(index);
        return {suspect ? Update::Kind::back : Update::Kind::known, index, false, {}};
    }
    const Address before = device.address;
    if (contest(now, index, source, socket)) {
        take_over(now, device);
        schedule(index);
        return {Update::Kind::moved, index, false, before};
    }
    const bool elsewhere = device.socket != socket || device.address.family != source.family;
    return {elsewhere ? Update::Kind::elsewhere : Update::Kind::conflict,
            index,
            !elsewhere && may_report_conflict(now, index),
            {}};
}

Update Directory::on_connected(Instant now, std::string_view name, const Address& address) {
    const NameIndex index = find(name);
    if (index == no_name) {
        const NameIndex inserted = insert(now, name, address, no_socket);
        return {inserted == no_name ? Update::Kind::full : Update::Kind::appeared, inserted, false, {}};
    }
    Device& device = devices_[index];
    const Address before = device.address;
    const bool suspect = device.presence == Presence::suspect;
    // A host with two interfaces may connect from one and announce itself on the other, which is not a move.
    if (!same_host(before, address) && lost(now, device)) {
        device.claimant = address;
        device.claimant_socket = no_socket;
        take_over(now, device);
        schedule(index);
        return {Update::Kind::moved, index, false, before};
    }
    confirm(now, device);
    schedule(index);
    return {suspect ? Update::Kind::back : Update::Kind::known, index, false, {}};
}

std::optional<Change> Directory::on_failure(Instant now, NameIndex index) {
    Device& device = devices_[index];
    device.failed = true;
    device.failed_at = now;
    const bool contested = device.contested_at != never;
    const bool was_alive = device.presence == Presence::alive;
    device.presence = Presence::suspect;
    if (contested) take_over(now, device);
    schedule(index);
    if (contested) return Change::moved;
    return was_alive ? std::optional(Change::suspect) : std::nullopt;
}

bool Directory::contest(Instant now, NameIndex index, const Address& claimant, SocketIndex socket) {
    Device& device = devices_[index];
    device.claimant = claimant;
    device.claimant_socket = socket;
    if (device.contested_at == never || device.active_at >= device.contested_at) {
        device.contested_at = now;
        device.contest_ends_at = now + period_ + period_ / 4;
        schedule(index);
    }
    return lost(now, device);
}

void Directory::confirm_by(Instant at, NameIndex index) {
    Device& device = devices_[index];
    if (device.contested_at == never) return;
    device.contest_ends_at = std::min(device.contest_ends_at, at);
    schedule(index);
}

bool Directory::may_report_conflict(Instant now, NameIndex index) {
    Device& device = devices_[index];
    if (device.conflict_reported && now - device.conflict_reported_at < 5 * period_) return false;
    device.conflict_reported = true;
    device.conflict_reported_at = now;
    return true;
}

bool Directory::lost(Instant now, const Device& device) const {
    return device.failed || now - std::max(device.announced_at, device.active_at) >= 2 * period_;
}

void Directory::set_connected(NameIndex index, bool connected) {
    Device& device = devices_[index];
    const bool was = device.place == UINT32_MAX;
    if (was == connected) return;
    count_network(device, !connected);
    if (connected) {
        device.was_connected = true;
        unconnected_[device.place] = unconnected_.back();
        devices_[unconnected_.back()].place = device.place;
        unconnected_.pop_back();
        device.place = UINT32_MAX;
    } else {
        device.place = static_cast<std::uint32_t>(unconnected_.size());
        unconnected_.push_back(index);
    }
}

void Directory::count_network(const Device& device, bool more) {
    const Holder network = network_of(device.address);
    if (more)
        unconnected_by_network_.add(network);
    else
        unconnected_by_network_.remove(network);
}

void Directory::take_over(Instant now, Device& device) {
    const bool counted = device.place != UINT32_MAX;
    if (counted) count_network(device, false);
    device.address = device.claimant;
    if (counted) count_network(device, true);
    device.socket = device.claimant_socket;
    confirm(now, device);
}

void Directory::confirm(Instant now, Device& device) {
    device.announced_at = device.active_at = now;
    device.presence = Presence::alive;
    device.failed = false;
    device.contested_at = device.contest_ends_at = never;
}

Instant Directory::expires_at(const Device& device) const {
    return device.failed ? std::max(device.failed_at, device.announced_at) + 2 * period_
                         : std::max(device.announced_at, device.active_at) + 5 * period_;
}

void Directory::schedule(NameIndex index) {
    const Device& device = devices_[index];
    const Instant suspect_at = device.presence == Presence::alive ? device.announced_at + 2 * period_ : never;
    timers_.schedule(index, std::min({suspect_at, device.contest_ends_at, expires_at(device)}));
}

std::optional<Change> Directory::due(Instant now, Device& device) {
    if (device.contest_ends_at <= now) {
        if (device.active_at < device.contested_at) {
            take_over(now, device);
            return Change::moved;
        }
        device.contested_at = device.contest_ends_at = never;
    }
    if (expires_at(device) <= now) return Change::gone;
    if (device.presence == Presence::alive && device.announced_at + 2 * period_ <= now) {
        device.presence = Presence::suspect;
        return Change::suspect;
    }
    return std::nullopt;
}

std::uint32_t Directory::hash_of(std::string_view name) const {
    return static_cast<std::uint32_t>(siphash(key_, std::as_bytes(std::span(name))));
}

std::uint32_t Directory::locate(std::string_view name, std::uint32_t hash) const {
    std::uint32_t at = hash & slot_mask_;
    for (; slots_[at].index != no_name; at = (at + 1) & slot_mask_)
        if (slots_[at].hash == hash && devices_[slots_[at].index].name == name) break;
    return at;
}

NameIndex Directory::find(std::string_view name) const { return slots_[locate(name, hash_of(name))].index; }

NameIndex Directory::insert(Instant now, std::string_view name, const Address& address, SocketIndex socket) {
    if (size_ == names_max_) return no_name;
    auto index = static_cast<NameIndex>(devices_.size());
    if (free_.empty()) {
        devices_.emplace_back();
    } else {
        index = free_.back();
        free_.pop_back();
    }
    const std::uint32_t hash = hash_of(name);
    slots_[locate(name, hash)] = {index, hash};
    Device& device = devices_[index];
    device.name = name;
    device.address = address;
    device.socket = socket;
    confirm(now, device);
    ++size_;
    set_connected(index, false);
    schedule(index);
    return index;
}

void Directory::remove(NameIndex index) {
    Device& device = devices_[index];
    RINGPOST_CHECK(!device.name.empty());
    std::uint32_t gap = locate(device.name, hash_of(device.name));
    for (std::uint32_t at = (gap + 1) & slot_mask_; slots_[at].index != no_name; at = (at + 1) & slot_mask_) {
        // An entry whose home slot lies behind the gap stays where it is.
        if (((at - slots_[at].hash) & slot_mask_) < ((at - gap) & slot_mask_)) continue;
        slots_[gap] = slots_[at];
        gap = at;
    }
    slots_[gap] = {};
    set_connected(index, true);
    device = Device{};
    timers_.cancel(index);
    free_.push_back(index);
    --size_;
}

}  // namespace ringpost::devices
