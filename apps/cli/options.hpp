#pragma once

// Options shared by the subcommands. An invalid value throws CLI::ValidationError with one line that names the option
// and the value.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include <ringpost/address.hpp>
#include <ringpost/time.hpp>
#include "apps/cli/failure.hpp"
#include "apps/cli/quantities.hpp"
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
    bool sandbox = false;  ///< of commands with add_sandbox()
};

/// --json, which sets the form of the results.
void add_json(CLI::App& command, Report::Form& form);

struct CommonChoice {
    bool offload = false;  ///< with --gso and --gro
    bool wait = true;      ///< with --wait
};
/// --backend, --json, --gso, --gro, --wait.
void add_common(CLI::App& command, CommonOptions& options, CommonChoice choice);

/// `fixed`, `poisson`. Throws std::invalid_argument with the reason, as the parsers of quantities do.
traffic::Arrivals parse_arrivals(const std::string& text);

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

/// Puts the options added from now on into this group of --help.
void begin_group(CLI::App& command, const char* group);

/// A value as messages show it: in quotes if it is empty or has spaces, control characters escaped, a long one cut.
std::string shown_value(const std::string& text);

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
                throw CLI::ValidationError(name + " " + shown_value(text) + ": " + reason.what());
            }
        },
        help);
    if (const std::string value = value_name(parse); !value.empty()) option->type_name(value);
    return option;
}

/// Resolves the local address or host name of --bind; "" is any_address(). Throws a Failure as peer_address() does.
Address bind_address(const std::string& text, std::uint16_t port);

/// Resolves the address or name that `option` names, without a port. Throws a Failure as peer_address() does.
Address host_address(const std::string& option, const std::string& text);

/// Resolves the peer that `option` names: HOST:PORT or [IPv6]:PORT and, with a default port, also HOST, IPv6 or [IPv6].
/// Throws a Failure, with Exit::unreachable if the name does not resolve or this host has no IPv6.
/// A name resolves to an address of `family`, unless that is none.
Address peer_address(const std::string& option, const std::string& text, std::uint16_t default_port = 0,
                     Family family = Family::none);
/// Resolves the peer of --to.
Address target_address(const std::string& text, std::uint16_t default_port = 0, Family family = Family::none);

/// Throws a Failure with Exit::unreachable if this host has no route to the target that `option` names.
void check_route(const std::string& option, const Address& target);

enum class ForeignTargets : std::uint8_t { refused, allowed };
/// Throws a Failure if `target` is neither loopback, private nor link-local, unless foreign targets are allowed.
void check_target_network(const Address& target, ForeignTargets foreign);

}  // namespace ringpost::apps
