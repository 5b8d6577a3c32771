#pragma once

// Numbers on the command line and in files. The parsers throw std::invalid_argument with the reason; the caller names
// the option and the value.

#include <cstdint>
#include <ringpost/time.hpp>
#include <string>

namespace ringpost::apps {

/// `10`, `5k`, `2.5M`, `1G` (1000 each): a whole number from `least` to `most`.
std::uint64_t parse_whole(const std::string& text, std::uint64_t least, std::uint64_t most);
/// 1 or more.
std::uint64_t parse_count(const std::string& text);
/// 1 to limits::load_flows_max.
std::uint32_t parse_flows(const std::string& text);
/// 1 to limits::probes_in_flight_max.
std::uint32_t parse_probe_window(const std::string& text);
/// Any 64-bit whole number.
std::uint64_t parse_seed(const std::string& text);
/// Digits only: 0 to 65535.
std::uint16_t parse_port(const std::string& text);
/// `64`, `1400`, `8k` (1024 each): 1 to 65,507 bytes, the payload of a UDP datagram.
std::uint64_t parse_datagram_size(const std::string& text);
/// `64k`, `4M`, `1G` (1024 each): 1 byte or more.
std::uint64_t parse_byte_count(const std::string& text);
/// `max` (0), `0.5`, `100k`, `2.5M` (1000 each): per second.
double parse_rate(const std::string& text);
/// A rate other than `max`.
double parse_fixed_rate(const std::string& text);
/// A rate other than `max`, or 0.
double parse_rate_or_zero(const std::string& text);
/// `5%`, `0.1%`, `100%`: a probability from 0 to 1.
double parse_chance(const std::string& text);
/// `800bit`, `64kbit`, `100Mbit`, `1Gbit` (1000 each): bits per second, at least 1.
std::uint64_t parse_bit_rate(const std::string& text);
/// `100ns`, `250us`, `1.5ms`, `2s`, `1m`, `1h`: nanoseconds, at least 1.
Duration parse_duration(const std::string& text);
/// The same, or 0 with or without a unit.
Duration parse_duration_or_zero(const std::string& text);

}  // namespace ringpost::apps
