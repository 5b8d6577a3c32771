#pragma once

// Option parsing shared by the subcommands. An invalid value throws CLI::ValidationError with one line that names the
// option and the value.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include <ringpost/address.hpp>
#include <ringpost/time.hpp>
#include "apps/cli/failure.hpp"
#include "apps/cli/report.hpp"
#include "codec/traffic/schedule.hpp"
#include "engine/loop/open.hpp"

namespace ringpost::apps {

/// The chosen subcommand, set while parsing and called by main afterwards.
using Command = std::function<int()>;

struct CommonOptions {
    EngineOptions engine;
    Report::Form form = Report::Form::text;
    bool gro = true;
};

/// --json, which sets the form of the results.
void add_json(CLI::App& command, Report::Form& form);

struct CommonChoice {
    bool offload = false;  ///< with --gso and --gro
    bool wait = true;      ///< with --wait
};
/// --backend, --json, --gso, --gro, --wait.
void add_common(CLI::App& command, CommonOptions& options, CommonChoice choice);

// The parsers below throw std::invalid_argument with the reason.

/// `64`, `1400`, `64k` (1024 each): bytes.
std::uint64_t parse_size(const std::string& text);
/// A size of at most 65,507 bytes, the payload of a UDP datagram.
std::uint64_t parse_datagram_size(const std::string& text);
/// 1 or more.
std::uint64_t parse_count(const std::string& text);
/// Decimal digits only: 0 to 65535.
std::uint16_t parse_port(const std::string& text);
/// 1 to limits::load_flows_max.
std::uint32_t parse_flows(const std::string& text);
/// `max` (0), `100k`, `2.5M` (1000 each): per second.
double parse_rate(const std::string& text);
/// A rate other than `max`.
double parse_fixed_rate(const std::string& text);
/// `5%`, `0.1%`, `100%`: a probability from 0 to 1.
double parse_chance(const std::string& text);
/// `800bit`, `64kbit`, `100Mbit`, `1Gbit` (1000 each): bits per second, at least 1.
std::uint64_t parse_bit_rate(const std::string& text);
/// `fixed`, `poisson`.
traffic::Arrivals parse_arrivals(const std::string& text);
/// 1 to limits::probes_in_flight_max.
std::uint32_t parse_probe_window(const std::string& text);
/// Any 64-bit whole number.
std::uint64_t parse_seed(const std::string& text);
/// `100ns`, `250us`, `1.5ms`, `2s`, `1m`, `1h`: nanoseconds, at least 1.
Duration parse_duration(const std::string& text);

/// The --help text about the names below.
inline constexpr const char* value_help =
    "TIME is 100ns, 250us, 20ms, 2s, 1m or 1h; BYTES 1400 or 64k (1024 bytes each); RATE 100k or 2.5M (per second);\n"
    "BITRATE 64kbit, 100Mbit or 1Gbit (per second); PERCENT 0.1%.";

/// Placeholder in --help for the value of an option with this parser: `TIME`, `PORT`, `RATE`, ...; "" if there is none.
const char* value_name(Duration (*parse)(const std::string&));
const char* value_name(std::uint16_t (*parse)(const std::string&));
const char* value_name(std::uint32_t (*parse)(const std::string&));
const char* value_name(std::uint64_t (*parse)(const std::string&));
const char* value_name(double (*parse)(const std::string&));
template <class T>
const char* value_name(T (*)(const std::string&)) {
    return "";
}

/// Adds an option read by `parse`. A std::invalid_argument that it throws is reported as `--name VALUE: reason`.
template <class T>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, T& target, T (*parse)(const std::string&),
                        const std::string& help) {
    CLI::Option* option = command.add_option_function<std::string>(
        name,
        [name, &target, parse](const std::string& text) {
            try {
                target = parse(text);
            } catch (const std::invalid_argument& reason) {
                throw CLI::ValidationError(name + " " + text + ": " + reason.what());
            }
        },
        help);
    if (const std::string value = value_name(parse); !value.empty()) option->type_name(value);
    return option;
}

/// Resolves the local address or host name of --bind; "" is any_address().
Address bind_address(const std::string& text, std::uint16_t port);

/// Resolves the peer that `option` names: HOST:PORT or [IPv6]:PORT and, with a default port, also HOST, IPv6 or [IPv6].
/// Throws a Failure, with Exit::unreachable if the name does not resolve.
Address peer_address(const std::string& option, const std::string& text, std::uint16_t default_port = 0);
/// Resolves the peer of --to.
Address target_address(const std::string& text, std::uint16_t default_port = 0);

/// Reads a whole file; the error is the reason.
std::expected<std::string, std::string> contents_of(const std::string& path);

enum class ForeignTargets : std::uint8_t { refused, allowed };
/// Throws a Failure if `target` is neither loopback, private nor link-local, unless foreign targets are allowed.
void check_target_network(const Address& target, ForeignTargets foreign);

}  // namespace ringpost::apps
