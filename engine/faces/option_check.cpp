#include "engine/faces/option_check.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "codec/base/limits.hpp"
#include "codec/base/utf8.hpp"
#include "codec/devices/advert.hpp"
#include "codec/native/limits.hpp"
#include "engine/os/address.hpp"

namespace ringpost {
namespace {

constexpr std::uint32_t table_max = limits::option_entries_max;
constexpr std::uint64_t bytes_max = limits::option_bytes_max;
/// Later instants are out of reach of any clock.
constexpr Duration duration_max = Duration{1} << 56;

/// Remembers the first option that is out of range.
class Check {
  public:
    template <std::integral T>
    Check& within(std::string_view name, T value, std::type_identity_t<T> min, std::type_identity_t<T> max) {
        if (value < min || value > max) fail(fmt::format("{} {}: must be from {} to {}", name, value, min, max));
        return *this;
    }
    /// In nanoseconds.
    Check& positive(std::string_view name, Duration value) { return within(name, value, 1, duration_max); }
    Check& power_of_two(std::string_view name, std::uint64_t value, std::uint64_t max) {
        if (!std::has_single_bit(value) || value > max)
            fail(fmt::format("{} {}: must be a power of two from 1 to {}", name, value, max));
        return *this;
    }
    Check& that(bool holds, std::string_view text) {
        if (!holds) fail(std::string(text));
        return *this;
    }

    std::optional<Error> error;

  private:
    void fail(std::string text) {
        if (!error) error = Error{EINVAL, std::move(text)};
    }
};

bool is_address(const Address& address) { return address.family == Family::v4 || address.family == Family::v6; }

void check_bind(Check& check, const Address& bind) {
    check.that(bind.family != Family::none, "bind: an address of family none")
        .that(is_address(bind), "bind: not an address");
}

void check_engine(Check& check, const EngineOptions& engine) {
    check.that(engine.backend <= BackendChoice::mmsg, "engine.backend: not a BackendChoice")
        .that(engine.wait <= WaitMode::adaptive, "engine.wait: not a WaitMode");
}

void check_allowed(Check& check, std::span<const Subnet> allowed) {
    for (const Subnet& subnet : allowed)
        check.within<std::uint32_t>("allowed: prefix_bits", subnet.prefix_bits, 0, 128)
            .that(is_address(subnet.first), "allowed: a network without an address");
}

void check_resending(Check& check, const gtudp::ResendOptions& resending) {
    check.within<std::uint32_t>("protocol.resending.data_sends_max", resending.data_sends_max, 1, UINT8_MAX)
        .within<std::uint32_t>("protocol.resending.recv_sends_max", resending.recv_sends_max, 1, UINT8_MAX)
        .positive("protocol.resending.timeout_initial", resending.timeout_initial)
        .positive("protocol.resending.timeout_max", resending.timeout_max)
        .within("protocol.resending.timeout_min", resending.timeout_min, 1, resending.timeout_max)
        .positive("protocol.resending.fixed_interval", resending.fixed_interval.value_or(1))
        .within("protocol.resending.patience", resending.effective_patience(), 0, gtudp::ResendOptions::patience_max);
}

const char* reason(devices::NameError error) {
    switch (error) {
        case devices::NameError::empty: return "it is empty";
        case devices::NameError::too_long: return "it is too long";
        case devices::NameError::not_utf8: return "it is not UTF-8";
        case devices::NameError::has_mark: return "it contains `:,:` or `/EOL`";
        case devices::NameError::reserved: return "it is a frame of the format";
    }
    return "";
}

void check_connections(Check& check, const native::ProtocolOptions& protocol, const std::string& application) {
    check.within<std::uint32_t>("protocol.channels", protocol.channels, 1, limits::native_channels_max - 1)
        .within<std::size_t>("protocol.channel_options", protocol.channel_options.size(), 0, protocol.channels)
        .within<std::size_t>("protocol.send_log_bytes", protocol.send_log_bytes, 4'096,
                             limits::native_send_log_bytes_max)
        .power_of_two("protocol.send_log_bytes", protocol.send_log_bytes, limits::native_send_log_bytes_max)
        .within<std::uint64_t>("protocol.channel_window", protocol.channel_window, 4'096, bytes_max)
        .within<std::uint64_t>("protocol.connection_window", protocol.connection_window, 4'096, bytes_max)
        .within<std::uint64_t>("protocol.message_bytes_max", protocol.message_bytes_max, 1,
                               std::min({protocol.channel_window - native::message_overhead,
                                         protocol.connection_window - native::message_overhead,
                                         std::uint64_t{limits::native_message_bytes_max}}))
        .within<std::size_t>("protocol.datagram_bytes", protocol.datagram_bytes, limits::native_datagram_bytes_min,
                             limits::native_datagram_bytes_max)
        .within<std::size_t>("protocol.train_segments", protocol.train_segments, 1, limits::train_segments_max)
        .within<std::uint32_t>("protocol.packets_in_flight_max", protocol.packets_in_flight_max, 256,
                               limits::native_packets_in_flight_max)
        .power_of_two("protocol.packets_in_flight_max", protocol.packets_in_flight_max, table_max)
        .within<std::uint32_t>("protocol.receive_window", protocol.receive_window, 1'024,
                               limits::native_receive_window_max)
        .power_of_two("protocol.receive_window", protocol.receive_window, table_max)
        .that(protocol.congestion <= CongestionControl::fixed, "protocol.congestion: not a CongestionControl")
        .that(protocol.fixed.rate >= 0 && protocol.fixed.rate < 1e15, "protocol.fixed.rate: must be from 0 to 1e15")
        .within("protocol.idle_timeout", protocol.idle_timeout, millisecond, UINT32_MAX * millisecond)
        .positive("protocol.keep_alive", protocol.keep_alive)
        .within("protocol.ack_delay", protocol.ack_delay, 0, limits::native_ack_delay_us_max * microsecond)
        .that(application.size() <= limits::native_name_bytes_max && is_utf8(application),
              "application: must be UTF-8 of at most 64 bytes");
    for (const native::ChannelOptions& channel : protocol.channel_options)
        check.within<int>("protocol.channel_options.priority", channel.priority, 0, 7)
            .within<int>("protocol.channel_options.weight", channel.weight, 1, UINT8_MAX);
}

bool is_group(const Address& group, Family family) {
    return group.family == family && is_multicast(group) && group.port != 0;
}

}  // namespace

std::optional<Error> check_options(const EngineOptions& options) {
    Check check;
    check_engine(check, options);
    return check.error;
}

std::optional<Error> check_options(const SocketOptions& options) {
    Check check;
    check.that(options.bind.family == Family::none || is_address(options.bind), "bind: not an address")
        .that(options.connect.family == Family::none || is_address(options.connect), "connect: not an address");
    check_allowed(check, options.allowed);
    return check.error;
}

std::optional<Error> check_options(const gtudp::OpenOptions& options) {
    Check check;
    check_engine(check, options.engine);
    check_allowed(check, options.allowed);
    if (options.connect.family == Family::none)
        check_bind(check, options.bind);
    else
        check.that(is_address(options.connect), "connect: not an address")
            .that(options.connect.port != 0, "connect: port 0");
    const gtudp::ProtocolOptions& protocol = options.protocol;
    check_resending(check, protocol.resending);
    check.that(protocol.congestion <= CongestionControl::fixed, "protocol.congestion: not a CongestionControl");
    check.positive("protocol.remembered", protocol.remembered)
        .within<std::uint32_t>("protocol.unknown_acks_per_s", protocol.unknown_acks_per_s, 0, second)
        .power_of_two("protocol.sends_max", protocol.sends_max, table_max)
        .power_of_two("protocol.receives_max", protocol.receives_max, table_max)
        .power_of_two("protocol.peers_max", protocol.peers_max, table_max)
        .within<std::size_t>("protocol.payload_bytes", protocol.payload_bytes, 1, bytes_max)
        .within<std::size_t>("protocol.event_bytes", protocol.event_bytes, 1, bytes_max)
        .within<std::uint32_t>("sends_max", options.sends_max, 1, limits::option_queue_max)
        .within<std::uint32_t>("receives_max", options.receives_max, 1, limits::option_queue_max);
    return check.error;
}

std::optional<Error> check_options(const confirmed::OpenOptions& options) {
    Check check;
    check_engine(check, options.engine);
    check_bind(check, options.bind);
    const confirmed::ProtocolOptions& protocol = options.protocol;
    check
        .that(protocol.target.family == Family::none || may_be_peer(protocol.target, options.bind),
              "protocol.target: an address without a port, or of another family than bind")
        .that(protocol.reply <= confirmed::Reply::to_source, "protocol.reply: not a Reply")
        .within<std::uint16_t>("protocol.peer_port", protocol.peer_port, 1, UINT16_MAX)
        .within<std::size_t>("protocol.bytes_max", protocol.bytes_max, 1, limits::datagram_bytes_max)
        .within("protocol.answers_within", protocol.answers_within, 0, duration_max)
        .within("protocol.copies_within", protocol.copies_within, 0, duration_max)
        .power_of_two("protocol.sends_max", protocol.sends_max, table_max)
        .within<std::uint32_t>("protocol.sends_per_peer_max", protocol.sends_per_peer_max, 1, UINT32_MAX)
        .power_of_two("protocol.peers_max", protocol.peers_max, table_max)
        .power_of_two("protocol.replies_max", protocol.replies_max, table_max)
        .within<std::size_t>("protocol.event_bytes", protocol.event_bytes, 1, bytes_max);
    return check.error;
}

std::optional<Error> check_options(const devices::NodeOptions& options) {
    Check check;
    const devices::ProtocolOptions& protocol = options.protocol;
    if (const auto wrong = devices::check_name(protocol.name))
        return Error{EINVAL, fmt::format("name {}: {}", protocol.name, reason(*wrong))};
    check_engine(check, options.engine);
    for (const Address& seed : protocol.seeds)
        check.that(is_address(seed) && seed.port != 0, "protocol.seeds: an address without a port");
    check
        .that(protocol.seeds.size() <= limits::devices_seeds_max,
              fmt::format("seed {}: at most {}", protocol.seeds.size(), limits::devices_seeds_max))
        .that(is_group(protocol.group, Family::v4), "protocol.group: not an IPv4 group with a port")
        .that(!protocol.group_v6 || is_group(*protocol.group_v6, Family::v6),
              "protocol.group_v6: not an IPv6 group with a port")
        .within<std::uint16_t>("protocol.tcp_port", protocol.tcp_port, 1, UINT16_MAX)
        .positive("protocol.period", protocol.period)
        .positive("protocol.connect_timeout", protocol.connect_timeout)
        .positive("protocol.name_timeout", protocol.name_timeout)
        .within("protocol.compatible_gap", protocol.compatible_gap, 0, duration_max)
        .within<std::size_t>("protocol.queue_bytes", protocol.queue_bytes, limits::devices_frame_bytes_max, bytes_max)
        .within<std::uint32_t>("protocol.names_max", protocol.names_max, 1, limits::devices_names_max)
        .within<std::uint32_t>("protocol.streams_max", protocol.streams_max, 1, limits::streams_max)
        .power_of_two("notices_max", options.notices_max, table_max)
        .power_of_two("questions_max", options.questions_max, table_max)
        .within<std::uint32_t>("notices_max", options.notices_max, 2, table_max)
        .within<std::uint32_t>("questions_max", options.questions_max, 2, table_max)
        .within<std::uint32_t>("questions_at_once", options.questions_at_once, 1, UINT32_MAX);
    return check.error;
}

std::optional<Error> check_options(const structs::OpenOptions& options) {
    Check check;
    check_engine(check, options.engine);
    check_bind(check, options.bind);
    check_allowed(check, options.allowed);
    return check.error;
}

std::optional<Error> check_options(const beacon::OpenOptions& options) {
    Check check;
    check_engine(check, options.engine);
    check_bind(check, options.bind);
    const beacon::ProtocolOptions& protocol = options.protocol;
    check.within<std::size_t>("protocol.targets", protocol.targets.size(), 0, limits::beacon_targets_max)
        .within<std::size_t>("protocol.quote", protocol.quote.size(), 0, beacon::quote_bytes_max)
        .that(is_utf8(protocol.quote), "protocol.quote: it is not UTF-8")
        .positive("protocol.period", protocol.period);
    for (const beacon::Target& target : protocol.targets)
        check.that(may_be_peer(target.destination, options.bind),
                   "protocol.targets: an address without a port, or of another family than bind");
    return check.error;
}

std::optional<Error> check_options(const ConnectOptions& options) {
    Check check;
    check_engine(check, options.engine);
    check.positive("timeout", options.timeout)
        .within<std::size_t>("received_bytes_max", options.received_bytes_max, 0, bytes_max);
    check_connections(check, options.protocol, options.application);
    return check.error;
}

std::optional<Error> check_options(const ListenOptions& options) {
    Check check;
    check_engine(check, options.engine);
    check_allowed(check, options.allowed);
    check.within<std::uint32_t>("connections_max", options.connections_max, 2, limits::native_connections_max)
        .power_of_two("connections_max", options.connections_max, limits::native_connections_max)
        .within<std::uint32_t>("sessions_max", options.sessions_max, 0, limits::native_sessions_max)
        .within<std::uint32_t>("handshakes_per_second", options.handshakes_per_second, 1, UINT32_MAX)
        .within<std::size_t>("received_bytes_max", options.received_bytes_max, 0, bytes_max);
    check_connections(check, options.protocol, options.application);
    return check.error;
}

}  // namespace ringpost
