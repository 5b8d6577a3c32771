#pragma once

// What the subcommands have in common on the command line. A value that cannot be taken throws CLI::ValidationError,
// whose one line names the option and the value.

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

/// Set by the subcommand that was chosen; main calls it after parsing.
using Command = std::function<int()>;

struct CommonOptions {
    EngineOptions engine;
    Report::Form form = Report::Form::text;
    bool gro = true;
};

/// --json: the form of the results.
void add_json(CLI::App& command, Report::Form& form);

/// --backend, --json; and, where `offload`, --gso and --gro; where `wait`, --wait.
struct CommonChoice {
    bool offload = false;
    bool wait = true;
};
void add_common(CLI::App& command, CommonOptions& options, CommonChoice choice);

/// `64`, `1400`, `64k` (1024 each): bytes.
std::uint64_t parse_size(const std::string& text);
/// The same within a UDP datagram: at most 65,507.
std::uint64_t parse_datagram_size(const std::string& text);
/// 1 or more.
std::uint64_t parse_count(const std::string& text);
/// Decimal digits only: 0 to 65535; 1 to limits::load_flows_max.
std::uint16_t parse_port(const std::string& text);
std::uint32_t parse_flows(const std::string& text);
/// `max` (0), `100k`, `2.5M` (1000 each): per second.
double parse_rate(const std::string& text);
/// The same without `max`.
double parse_fixed_rate(const std::string& text);
/// `5%`, `0.1%`, `100%`: a chance from 0 to 1.
double parse_chance(const std::string& text);
/// `64kbit`, `100Mbit`, `1Gbit` (1000 each), `800bit`: bits per second, >= 1.
std::uint64_t parse_bit_rate(const std::string& text);
/// `fixed`, `poisson`.
traffic::Arrivals parse_arrivals(const std::string& text);
/// 1 to limits::probes_in_flight_max.
std::uint32_t parse_probe_window(const std::string& text);
/// Any whole number of 64 bits.
std::uint64_t parse_seed(const std::string& text);
/// `250us`, `2s`, `1.5ms`, `1m`, `100ns`: nanoseconds, > 0.
Duration parse_duration(const std::string& text);

/// Adds an option read by `parse`; what that throws as std::invalid_argument is shown as `--name VALUE: reason`.
template <class T>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, T& target, T (*parse)(const std::string&),
                        const std::string& help) {
    return command.add_option_function<std::string>(
        name,
        [name, &target, parse](const std::string& text) {
            try {
                target = parse(text);
            } catch (const std::invalid_argument& reason) {
                throw CLI::ValidationError(name + " " + text + ": " + reason.what());
            }
        },
        help);
}

/// A local address or host name for --bind; "" is any_address().
Address bind_address(const std::string& text, std::uint16_t port);

/// The address that `option` names: HOST:PORT or [IPv6]:PORT, and with a default port also HOST, IPv6 or [IPv6]. Ends
/// the command with Exit::unreachable when the name does not resolve.
Address peer_address(const std::string& option, const std::string& text, std::uint16_t default_port = 0);
/// That of --to.
Address target_address(const std::string& text, std::uint16_t default_port = 0);

/// All that a file holds; else why it cannot be read.
std::expected<std::string, std::string> contents_of(const std::string& path);

enum class ForeignTargets : std::uint8_t { refused, allowed };
/// Failure if `target` is neither loopback, private nor link-local, unless foreign targets are allowed.
void check_target_network(const Address& target, ForeignTargets foreign);

}  // namespace ringpost::apps
