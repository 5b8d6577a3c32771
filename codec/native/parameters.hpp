#pragma once

// What each side of a connection announces in its handshake message, sealed: limits that the other side must keep,
// and what both must agree on.
//
//     id u8, length u8, value; ids ascend, so none is there twice. Integers are little-endian.
//     1  u32   bytes of the largest message that it accepts
//     2  u8 x 2 n   kinds of the channels from 0 on, in up to 32 runs: kind, and how many channels less one
//     3  u64   bytes that it accepts on the connection before it grants more
//     4  u64   bytes that it accepts on each channel before it grants more
//     5  u32   idle timeout, ms
//     6  u32   longest delay of an acknowledgement, us
//     7  u16   bytes of the largest datagram that it accepts
//     8  u32   features, one bit each; unknown ones are ignored
//     9  0 to 64 bytes   name of the application, UTF-8
//     128 to 255   unknown and ignored; one of them, at random, is always there
//
// What is absent has its default. Ids that this version does not know are ignored, too, wherever they stand.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include <ringpost/time.hpp>
#include "codec/native/limits.hpp"

namespace ringpost::native {

enum class ChannelKind : std::uint8_t {
    ordered,     ///< reliable, in order
    unordered,   ///< reliable
    unreliable,  ///< sent once
    latest,      ///< of each key only the newest counts
};

/// The kinds of up to native_channels_max channels, as runs of equal ones.
class ChannelKinds {
  public:
    /// One ordered channel.
    ChannelKinds() { append(ChannelKind::ordered, 1); }
    void clear() { *this = ChannelKinds(0); }
    /// Appends `count` channels. False, and nothing is changed, if these are too many channels or runs.
    [[nodiscard]] bool try_append(ChannelKind kind, std::size_t count);

    [[nodiscard]] std::size_t channels() const;
    /// The kind of a channel below channels().
    [[nodiscard]] ChannelKind kind_of(std::size_t channel) const;
    bool operator==(const ChannelKinds& other) const = default;

    struct Run {
        ChannelKind kind = ChannelKind::ordered;
        std::uint8_t count_less_1 = 0;
        bool operator==(const Run&) const = default;
    };
    [[nodiscard]] std::span<const Run> runs() const { return std::span(runs_).first(count_); }

  private:
    explicit ChannelKinds(std::uint8_t count) : count_(count) {}
    void append(ChannelKind kind, std::size_t count);

    std::array<Run, limits::native_channel_runs_max> runs_{};
    std::uint8_t count_ = 0;
};

struct Parameters {
    std::uint32_t message_bytes_max = limits::native_message_bytes_default;
    ChannelKinds channels;
    std::uint64_t connection_window_bytes = limits::native_send_log_bytes_default;
    std::uint64_t channel_window_bytes = limits::native_send_log_bytes_default;
    std::uint32_t idle_timeout_ms = 30'000;
    std::uint32_t ack_delay_us = 25'000;
    std::uint16_t datagram_bytes_max = limits::native_datagram_bytes_default;
    std::uint32_t features = 0;
    std::array<char, limits::native_name_bytes_max> name{};
    std::uint8_t name_bytes = 0;

    [[nodiscard]] std::string_view application() const { return {name.data(), name_bytes}; }
    /// False if the name is too long or not UTF-8.
    [[nodiscard]] bool set_application(std::string_view text);
    bool operator==(const Parameters&) const = default;
};

enum class ParameterError : std::uint8_t {
    cut,           ///< ends within a parameter
    order,         ///< an id is not above the one before it
    length,        ///< not the length of its value
    out_of_range,  ///< of a limit; see Parameters
    bad_kind,      ///< of a channel
    too_many_channels,
    name,  ///< not UTF-8
};

/// Largest encoding, with the random parameter.
inline constexpr std::size_t parameters_bytes_max = limits::native_parameters_bytes_max;

/// Whether all values are in their range, so that the other side accepts them.
std::optional<ParameterError> fault_of(const Parameters& parameters);

/// Writes the parameters, which must have no fault, to `out`, which must hold parameters_bytes_max, and returns their
/// size. `random` makes up the parameter that nobody knows.
std::size_t write_parameters(std::span<std::byte> out, const Parameters& parameters, std::uint32_t random);

std::expected<Parameters, ParameterError> parse_parameters(std::span<const std::byte> bytes);

/// The first channel of which both sides have a different idea. A channel that only one side has is of no kind yet.
struct ChannelMismatch {
    std::size_t channel;
    ChannelKind ours, theirs;
};
std::optional<ChannelMismatch> mismatch_of(const ChannelKinds& ours, const ChannelKinds& theirs);

}  // namespace ringpost::native
