#pragma once

#include <cstdint>

namespace ringpost::native {

/// Something in a sent packet whose fate matters, in 32 bits: two of kind, eight of channel, and the low half of a
/// slice's number.
class Reference {
  public:
    enum class Kind : std::uint8_t { slice, window, blocked, other };
    enum class Other : std::uint8_t { ack_rate, connection_window, connection_blocked };

    static constexpr unsigned slice_bits = 22;

    constexpr Reference() = default;
    static constexpr Reference slice(std::uint8_t channel, std::uint32_t number) {
        return {Kind::slice, channel, number & ((1u << slice_bits) - 1)};
    }
    static constexpr Reference window(std::uint8_t channel) { return {Kind::window, channel, 0}; }
    static constexpr Reference blocked(std::uint8_t channel) { return {Kind::blocked, channel, 0}; }
    static constexpr Reference other(Other what) { return {Kind::other, 0, static_cast<std::uint32_t>(what)}; }

    constexpr Kind kind() const { return static_cast<Kind>(bits_ >> 30); }
    constexpr std::uint8_t channel() const { return static_cast<std::uint8_t>(bits_ >> slice_bits); }
    constexpr Other what() const { return static_cast<Other>(bits_ & 0xff); }
    /// The number of the slice, given one that is less than 2^21 away.
    constexpr std::uint32_t slice_near(std::uint32_t near) const {
        constexpr unsigned unused = 32 - slice_bits;
        const auto distance = static_cast<std::int32_t>((bits_ - near) << unused) >> unused;
        return near + static_cast<std::uint32_t>(distance);
    }

  private:
    constexpr Reference(Kind kind, std::uint8_t channel, std::uint32_t rest)
        : bits_(std::uint32_t{static_cast<std::uint8_t>(kind)} << 30 | std::uint32_t{channel} << slice_bits | rest) {}

    std::uint32_t bits_ = 0;
};

}  // namespace ringpost::native
