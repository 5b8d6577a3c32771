#pragma once

// Writes events into the caller's buffers.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <ringpost/ringpost.h>
#include <ringpost/address.hpp>
#include <ringpost/time.hpp>

namespace ringpost::c {

static_assert(sizeof(rp_address) == sizeof(Address));
static_assert(offsetof(rp_address, scope) == offsetof(Address, scope));
static_assert(offsetof(rp_address, port) == offsetof(Address, port));
static_assert(offsetof(rp_address, family) == offsetof(Address, family));
static_assert(sizeof(rp_event) == 112 && sizeof(rp_message) == 64);

inline rp_address to_c(const Address& address) { return std::bit_cast<rp_address>(address); }

/// nullopt for what is no address: an unknown family.
inline std::optional<Address> from_c(const rp_address& address) {
    if (address.family != RP_FAMILY_NONE && address.family != RP_FAMILY_V4 && address.family != RP_FAMILY_V6)
        return std::nullopt;
    const auto out = std::bit_cast<Address>(address);
    if (out.family == Family::v4 &&
        !std::equal(out.ip.begin(), out.ip.begin() + 12, Address::v4(0, 0, 0, 0, 0).ip.begin()))
        return std::nullopt;
    return out;
}

/// Messages to one peer, one after the other in memory.
struct PackedSend {
    Address peer;
    const std::byte* bytes = nullptr;
    const std::uint32_t* sizes = nullptr;  ///< nullptr: all have `each` bytes
    std::uint32_t each = 0;
    std::uint32_t count = 0;
    Instant deadline = never;

    std::size_t size(std::uint32_t index) const { return sizes == nullptr ? each : sizes[index]; }
};

/// An event that did not fit its caller's buffer.
struct Kept {
    rp_event event{};
    std::string name;
    std::string bytes;
};

class EventWriter {
  public:
    EventWriter(rp_event* events, std::uint32_t count, void* buffer, std::size_t capacity)
        : events_(events, count),
          buffer_(static_cast<std::byte*>(buffer),
                  std::min<std::size_t>(buffer == nullptr ? 0 : capacity, UINT32_MAX)) {}

    std::uint32_t count() const { return count_; }
    bool full() const { return count_ == events_.size(); }
    bool is_small() const { return small_; }

    /// False, and nothing is written but the sizes of a first event, if the bytes do not fit.
    bool write(rp_event& event, std::span<const std::byte> bytes, std::string_view name = {}) {
        event.size = static_cast<std::uint32_t>(bytes.size());
        event.name_size = static_cast<std::uint32_t>(name.size());
        if (bytes.size() + name.size() > buffer_.size() - used_) {
            if (count_ == 0) {
                small_ = true;
                event.flags |= RP_EVENT_BYTES;
                events_[0] = event;
                event.flags &= ~std::uint32_t{RP_EVENT_BYTES};
            }
            return false;
        }
        event.offset = put(bytes);
        event.name_offset = put(std::as_bytes(std::span(name)));
        events_[count_++] = event;
        return true;
    }
    bool write(Kept& kept) { return write(kept.event, std::as_bytes(std::span(kept.bytes)), kept.name); }

    /// How many messages of this length fit.
    std::size_t room_for(std::size_t message_bytes) const {
        const std::size_t events = events_.size() - count_;
        return message_bytes == 0 ? events : std::min(events, (buffer_.size() - used_) / message_bytes);
    }
    /// Makes an event like `event` of each message, of `message_bytes` each, one after another in `bytes`.
    void write_all(const rp_event& event, std::span<const std::byte> bytes, std::size_t message_bytes) {
        std::uint32_t offset = put(bytes);
        for (std::size_t left = message_bytes == 0 ? 1 : bytes.size() / message_bytes; left > 0; --left) {
            rp_event& out = events_[count_++] = event;
            out.offset = offset;
            out.size = static_cast<std::uint32_t>(message_bytes);
            offset += out.size;
        }
    }
    /// An event without bytes, all zero, to be filled in place: what was just written in parts is slow to copy.
    rp_event& add() { return events_[count_++] = {}; }

    /// Room that the next event's bytes may be written to directly; commit() then makes the event.
    std::span<std::byte> room() const { return buffer_.subspan(used_); }
    void commit(rp_event& event, std::size_t bytes) {
        event.offset = static_cast<std::uint32_t>(used_);
        event.size = static_cast<std::uint32_t>(bytes);
        used_ += bytes;
        events_[count_++] = event;
    }

  private:
    std::uint32_t put(std::span<const std::byte> bytes) {
        const std::size_t at = used_;
        if (!bytes.empty()) std::memcpy(buffer_.data() + at, bytes.data(), bytes.size());
        used_ += bytes.size();
        return static_cast<std::uint32_t>(at);
    }

    std::span<rp_event> events_;
    std::span<std::byte> buffer_;
    std::uint32_t count_ = 0;
    std::size_t used_ = 0;
    bool small_ = false;
};

}  // namespace ringpost::c
